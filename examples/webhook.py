"""Takes public facts in as they are sent: SECRET=whsec_… python webhook.py 9000."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            Webhook(os.environ["SECRET"]).verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            return self.answer(401)
        fact = json.loads(body)
        if "challenge" in fact:
            return self.answer(200, json.dumps({"challenge": fact["challenge"]}).encode())
        print(fact["time"], fact["type"], fact["subject"], fact["sequence"], fact["data"])
        return self.answer(204)  # only once it is where you keep what you make of it

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", int(sys.argv[1])), Endpoint).serve_forever()
