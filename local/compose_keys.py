"""Keys, tokens and the travelling clock of docker-compose.yml's stack, made inside it and kept in its volumes."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote_plus

from local import clock
from local.environment import key_file
from local.files import write_private
from local.mongod import DECIDER, PREPARE, RELAY, REPLICA_SET
from local.tokens import jwks_file, mint
from local.topics import SERVICES

ALL = Path("/keys/all")
CLOCK = Path("/keys/clock/clock.json")
MONGO = "mongo:27017"
OUTLET = "outlet"
NOBODY, MONGODB = 65534, 999

_USAGE = "make | token SUBJECT | forward DAYS"


def password(user: str) -> str:
    """The password of a user of the stack's MongoDB; made the first time."""
    return key_file(ALL, f"mongo-{user}").read_text()


def login(service: str, part: str) -> str:
    """The name under which `password` knows one of a service's three users."""
    return f"{service}-{part}"


def make() -> None:
    """Give every reader its keys, the same as the last time; the first time they are made."""
    subject, jwks = key_file(ALL, "subject").read_text(), jwks_file(ALL).read_text()
    _hand("mongo", MONGODB, keyfile=key_file(ALL, "mongo-keyfile").read_text(), root=password("root"))
    for service in (*SERVICES, OUTLET):
        keys = {
            "subject": subject,
            "content": key_file(ALL, f"content-{service}").read_text(),
            "jwks.json": jwks,
            "mongo-uri": _uri(service, DECIDER),
        }
        relays = {} if service == OUTLET else {"relay-mongo-uri": _uri(service, RELAY)}
        _hand(service, NOBODY, **keys, **relays)
        _hand(f"{service}-prepare", NOBODY, **{"mongo-uri": _uri(service, PREPARE)})
    clock.advance(CLOCK, timedelta())


def _uri(service: str, part: str) -> str:
    database = f"counterpoint_{service}"
    secret = quote_plus(password(login(service, part)))
    return f"mongodb://{part}:{secret}@{MONGO}/{database}?authSource={database}&replicaSet={REPLICA_SET}"


def _hand(reader: str, owner: int, **files: str) -> None:
    for name, text in files.items():
        path = ALL.with_name(reader) / name
        write_private(path, text)
        os.chown(path, owner, owner)


def main(arguments: list[str]) -> int:
    """Do what the command line says; 2 where it says nothing known."""
    match arguments:
        case ["make"]:
            make()
        case ["token", subject]:
            sys.stdout.write(mint(ALL, subject) + "\n")
        case ["forward", days] if days.replace(".", "", 1).isdecimal():
            sys.stdout.write(f"{clock.advance(CLOCK, timedelta(days=float(days))).isoformat()}\n")
        case _:
            sys.stderr.write(f"usage: {_USAGE}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
