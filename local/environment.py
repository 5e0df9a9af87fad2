"""What the local stack hands to a service process: keys, files, addresses, all as environment variables."""

import base64
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from local import clock
from local.files import write_private
from local.mongod import DECIDER, PREPARE, RELAY
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import PARTITIONS

PREFIX = "COUNTERPOINT_"
OPERATOR = "operator"
"""The token subject that operates a local stack: looks at what is parked, and lets it go on."""
SUBSCRIBER = "subscriber"
"""The token subject that may hear the public facts of every program."""


def clock_file(data: Path) -> Path:
    """The travelling clock of the stack in this data directory; made the first time."""
    path = data / "clock.json"
    if not path.exists():
        clock.advance(path, timedelta())
    return path


def spans_dir(data: Path) -> Path:
    """Where each service appends its finished spans, one file per process."""
    path = data / "spans"
    path.mkdir(parents=True, exist_ok=True)
    return path


def key_file(data: Path, name: str) -> Path:
    """A file with 32 random bytes in base64; made the first time, readable by its owner only."""
    path = data / "keys" / name
    if not path.exists():
        write_private(path, base64.b64encode(secrets.token_bytes(32)).decode())
    return path


def environment(
    data: Path,
    service: str,
    *,
    process: str,
    role: str,
    port: int,
    kafka: str,
    mongo: Mapping[str, str],
    founders: Sequence[str],
) -> dict[str, str]:
    """The whole environment of one service process; of the caller's own, only what is not a service's setting.

    `mongo` has the address of the service's database for each of its users. `role` is one of a process, or
    `local.mongod.PREPARE` for one that makes the database ready and ends.
    """
    owns = role in (PREPARE, "rebuild", "republish")
    address = {} if role == RELAY else {"MONGO_URI": mongo[PREPARE if owns else DECIDER]}
    if role in ("all", "main", RELAY):
        address["RELAY_MONGO_URI"] = mongo[RELAY]
    settings = {
        **_every(data, process, port, kafka),
        "ROLE": "all" if role == PREPARE else role,
        **address,
        "MONGO_DATABASE": f"counterpoint_{service}",
        "CONTENT_KEY_FILE": str(key_file(data, f"content-{service}")),
        "PARTITIONS": str(PARTITIONS),
        "OPERATORS": OPERATOR,
        "BEAT_SECONDS": "4",  # segments are short here (local/topics.py)
        "ANSWER_SECONDS": "20",  # a laptop that does other things too
    }
    if service == "enrollment":
        settings["FOUNDERS"] = ",".join(founders)
    return _whole(settings)


def outlet_environment(data: Path, *, port: int, kafka: str, mongo: str) -> dict[str, str]:
    """The same of the outlet's process, with the address of its database. Its webhooks may reach this machine."""
    settings = {
        "MONGO_URI": mongo,
        "CONTENT_KEY_FILE": str(key_file(data, "content-outlet")),
        "SUBSCRIBERS": json.dumps({SUBSCRIBER: ["*"]}),
        "WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
        "WEBHOOK_PLAIN": "true",
    }
    return _whole({**_every(data, "outlet", port, kafka), **settings})


def _every(data: Path, process: str, port: int, kafka: str) -> dict[str, str]:
    """What every process is told."""
    return {
        "ENVIRONMENT": "local",
        "KAFKA_BOOTSTRAP": kafka,
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "JWKS": str(jwks_file(data)),
        "SUBJECT_KEY_FILE": str(key_file(data, "subject")),
        "CLOCK_FILE": str(clock_file(data)),
        "SPANS_FILE": str(spans_dir(data) / f"{process}.jsonl"),
    }


def _whole(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or _is_test(name)}
    return {**inherited, "PYTHONUNBUFFERED": "1", **{PREFIX + name: value for name, value in settings.items()}}


def _is_test(name: str) -> bool:
    return name.startswith(f"{PREFIX}TEST_")
