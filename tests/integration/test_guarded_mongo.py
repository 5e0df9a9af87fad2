"""A MongoDB that speaks TLS alone, and its users as a Job of the release makes them: who comes with what."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from chassis.running import once
from chassis.running.mongo import Database, Unprepared
from chassis.running.rights import USERS
from chassis.running.runtime import Runtime
from chassis.running.settings import Settings
from local.mongod import Mongod, uri
from local.processes import free_ports, stop
from tests.deploy.guarded import certificates
from tests.deploy.test_kafka_users import service_of

pytestmark = pytest.mark.integration
NAME = "counterpoint_matching"


@dataclass(frozen=True)
class Guarded:
    """The server, the authority that its certificate is signed by, and another one."""

    mongod: Mongod
    ca: Path
    stranger: Path


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "stranger").mkdir()
    ca, keystore = certificates(folder)
    stranger, _ = certificates(folder / "stranger")
    # It begins without, because a set is made over a connection that nobody has authenticated; then it is raised.
    options = ("--tlsMode=allowTLS", f"--tlsCertificateKeyFile={keystore}", f"--tlsCAFile={ca}")
    more = (*options, "--tlsAllowConnectionsWithoutCertificates")
    mongod = Mongod(folder / "mongod", folder / "mongod.log", free_ports(1)[0], more=more)
    mongod.spawn()
    try:
        mongod.wait()
        with MongoClient[dict[str, Any]](mongod.uri, tls=True, tlsCAFile=str(ca)) as client:
            for mode in ("preferTLS", "requireTLS"):
                client.admin.command("setParameter", 1, tlsMode=mode)
        yield Guarded(mongod, ca, stranger)
    finally:
        stop([mongod.child] if mongod.child else [], 15)


@asynccontextmanager
async def opened(address: str, ca: Path | None) -> AsyncIterator[Database]:
    database = Database(address, NAME, ca=ca)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.parametrize("how", ["in plain text", "who trusts another authority"])
async def test_who_does_not_come_over_tls_is_refused(guarded: Guarded, how: str) -> None:
    async with opened(guarded.mongod.uri, guarded.ca) as database:
        await database.ping()
    async with opened(guarded.mongod.uri, None if how == "in plain text" else guarded.stranger) as database:
        with pytest.raises(PyMongoError):
            await database.ping()


async def test_the_job_makes_each_user_with_its_password_and_role(
    guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = {}
    for attempt in ("first", "changed"):
        for user in USERS:
            addresses[user] = uri(user, f"{attempt}-{user}", guarded.mongod.port, NAME)
            (tmp_path / user).write_text(addresses[user])
        assert await run(guarded, tmp_path) == once.DONE
    async with opened(addresses["prepare"], guarded.ca) as owner:
        await owner.create("things")
        await owner.grant("decider", {"things": ["find", "insert"]})
    async with opened(addresses["decider"], guarded.ca) as decider:
        await decider.insert("things", [{"_id": 1}])
        with pytest.raises(Unprepared):
            await decider.create("others")
    async with opened(addresses["relay"], guarded.ca) as relay:
        with pytest.raises(PyMongoError):
            await relay.insert("things", [{"_id": 2}])
    old = uri("decider", "first-decider", guarded.mongod.port, NAME)
    async with opened(old, guarded.ca) as late:
        with pytest.raises(PyMongoError):
            await late.insert("things", [{"_id": 3}])


async def test_an_address_of_another_database_is_refused(guarded: Guarded, tmp_path: Path) -> None:
    for user in USERS:
        (tmp_path / user).write_text(uri(user, "secret", guarded.mongod.port, "counterpoint_insights"))
    assert await run(guarded, tmp_path) == once.USAGE


async def run(guarded: Guarded, users: Path) -> int:
    """What `python -m services.matching --users` does and answers, as one who may."""
    settings = Settings(
        environment="local",
        kafka_bootstrap="127.0.0.1:1",
        mongo_uri=guarded.mongod.uri,
        mongo_ca_file=guarded.ca,
        users=users,
        mongo_database=NAME,
        issuer="nobody",
        jwks="nowhere",
        subject_key_file=users / "key",
    )
    (users / "key").write_text("a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
    runtime = Runtime(service_of("matching"), settings)
    try:
        return await once._users(runtime)
    finally:
        await runtime.database.close()
