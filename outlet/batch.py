"""Facts as CloudEvents in a JSON batch: the attributes are those of the record, the data its very bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from chassis.receiving.records import Record

MEDIA_TYPE = "application/cloudevents-batch+json"
_PREFIX = "ce_"


def batch(records: Sequence[Record]) -> bytes:
    """A JSON array with one event for each record, in their order."""
    return b"[" + b",\n".join(map(event, records)) + b"]"


def event(record: Record) -> bytes:
    """One record as a structured CloudEvent. What another release adds to the headers is in it too."""
    attributes = {"specversion": "1.0", "datacontenttype": "application/json"}
    for name, value in record.headers:
        if name.startswith(_PREFIX) and value is not None:
            attributes[name.removeprefix(_PREFIX)] = value.decode()
    told = json.dumps(attributes, separators=(",", ":"), ensure_ascii=False).encode()
    return told[:-1] + b',"data":' + (record.value or b"null") + b"}"
