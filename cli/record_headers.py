"""The schemas of a record's headers: CloudEvents 1.0 in Kafka's binary mode, as the relay sends them."""

from __future__ import annotations

from typing import Any

from cli.schemas import Schema

_STREAM = "^[a-z0-9_]+/[a-z-]+/[a-z0-9_-]+$"
_TRACE = "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


def _header(about: str, **more: Any) -> Schema:
    return {"type": "string", "description": about, **more}


def _common() -> Schema:
    return {
        "ce_specversion": _header("The version of CloudEvents.", const="1.0"),
        "content-type": _header("What the value is.", const="application/json"),
        "ce_id": _header("The same on every repeat."),
        "ce_source": _header("The service that says it.", pattern="^/counterpoint/[a-z]+$"),
        "ce_type": _header("What kind of record it is."),
        "ce_subject": _header("What it is about: also the record's key."),
        "ce_time": _header("UTC, to the millisecond.", format="date-time"),
    }


def fact_headers() -> Schema:
    """The schema of the headers of every fact."""
    fields = _common() | {
        "ce_dataschema": _header("`urn:counterpoint:schema:<Fact>:<version of its fields>`."),
        "ce_sequence": _header("The version in its stream: 1, 2, 3 …, compared as numbers.", pattern="^[1-9][0-9]*$"),
        "ce_program": _header("The program, or `org` where it spans programs."),
        "ce_digest": _header("The commit's link in the stream's chain of digests.", pattern="^[0-9a-f]{64}$"),
        "ce_commit": _header("The commit it was decided in."),
        "ce_range": _header("That commit's first and last version.", pattern="^[1-9][0-9]*-[1-9][0-9]*$"),
        "ce_command": _header("The id of the command."),
        "ce_correlation": _header("The request it goes back to."),
    }
    optional = {
        "ce_causation": _header("The `ce_id` of the fact it followed from, where it followed from one."),
        "ce_traceparent": _header("W3C trace context of the command, where it was traced.", pattern=_TRACE),
        "traceparent": _header("W3C trace context to go on with, where it was traced.", pattern=_TRACE),
    }
    fields["ce_id"] = _header("`<stream>@<version>`: the same on every repeat.")
    fields["ce_time"] = _header("When it was decided: UTC, to the millisecond.", format="date-time")
    fields["ce_subject"] = _header("The stream: also the record's key.", pattern=_STREAM)
    return {"type": "object", "properties": fields | optional, "required": list(fields)}


def state_headers() -> Schema:
    """The schema of the headers of every state record."""
    fields = _common()
    fields["ce_id"] = _header("`<key>@<rev>`: the same on every repeat.")
    fields["ce_time"] = _header("When it was sent: UTC, to the millisecond.", format="date-time")
    return {"type": "object", "properties": fields, "required": list(fields)}
