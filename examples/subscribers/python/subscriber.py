"""Keeps who is in which pair: `python subscriber.py 127.0.0.1:9092 my-group`."""

import json
import sys

from confluent_kafka import Consumer

bootstrap, group, prefix = [*sys.argv[1:], "counterpoint"][:3]
knows = {
    "PairFormed": 1,
    "PairReleased": 1,
    "ErasureRequested": 1,
}  # facts, in the version this program was written for
last, pairs, erased = {}, {}, set()  # kept in memory, so it begins at the beginning each time; keep yours in a database

consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False, "topic.metadata.refresh.interval.ms": 5000})  # fmt: skip
consumer.subscribe([f"^{prefix}[.](enrollment|matching)[.]events([.]g[0-9]+)?$"])  # also when a topic is filled again
while True:
    record = consumer.poll(1.0)
    if record is None or record.error():
        continue
    ce = {name: value.decode() for name, value in record.headers() or [] if value}
    if "ce_id" not in ce:
        continue  # no fact
    subject, sequence = ce["ce_subject"], int(ce["ce_sequence"])
    if sequence <= last.get(subject, 0):
        continue  # a repeat
    last[subject] = sequence
    *_, name, version = ce["ce_dataschema"].split(":")
    if name not in knows:
        continue
    if int(version) > knows[name]:
        sys.exit(f"{name} has version {version} now: read contracts/CHANGELOG.md, and never guess")
    fact = json.loads(record.value())  # take what you need, and pass over what you do not know
    if name == "PairFormed":
        pairs[fact["pair"]] = [fact["mentor"], fact["executive"]]
    elif name == "PairReleased":
        pairs.pop(fact["pair"], None)
    else:
        erased.add(fact["person"])  # remembered: order holds within a stream only, so their pair may be heard later
    pairs = {pair: [None if person in erased else person for person in two] for pair, two in pairs.items()}
    sys.stdout.write(json.dumps(pairs, sort_keys=True) + "\n")
    sys.stdout.flush()
