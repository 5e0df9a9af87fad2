"""Hears public facts, each once: `python subscriber.py 127.0.0.1:9092 counterpoint.matching.events`."""

import sys

from confluent_kafka import Consumer

bootstrap, *topics = sys.argv[1:]
consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "my-group", "auto.offset.reset": "earliest"})
consumer.subscribe(topics)
last: dict[str, int] = {}  # version by stream; keep it where you keep what you make of the facts
while True:
    record = consumer.poll(1.0)
    if record is not None and not record.error():
        ce = {name: (value or b"").decode() for name, value in record.headers() or []}
        if int(ce.get("ce_sequence", 0)) > last.get(ce.get("ce_subject", ""), 0):  # else a repeat, or no fact
            last[ce["ce_subject"]] = int(ce["ce_sequence"])
            sys.stdout.write(f"{ce['ce_time']} {ce['ce_type']} {ce['ce_subject']} {record.value().decode()}\n")
