"""Prints every public fact once, over HTTP: python feed.py http://127.0.0.1:8085 "$TOKEN"."""

import json
import sys
import urllib.request

outlet, token = sys.argv[1:3]
place = "/facts/v1?limit=500&wait=25"
while True:
    request = urllib.request.Request(outlet + place, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        for fact in json.load(answer):
            print(fact["time"], fact["type"], fact["subject"], fact["sequence"], fact["data"])
        place = answer.headers["Link"].partition(">")[0][1:]  # keep it where you keep what you make of the facts
