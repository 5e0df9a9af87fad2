"""Whoever inserts facts cannot change them, and whoever marks them cannot insert: on a real mongod, as its users."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from chassis.distributing.relay import Relay
from chassis.running import once, rights
from chassis.running.runtime import Runtime
from chassis.running.service import Service
from chassis.running.settings import Settings
from local.mongod import DECIDER, PREPARE, RELAY
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = pytest.mark.integration

REFUSED = 13


class Guarded(World):
    """The tally services, each process with the rights that the stack gives it."""

    def __init__(self, infra: Infra, folder: Path) -> None:
        super().__init__(infra, folder)
        self.users = {s.name: infra.users(self._databases[s.name].name) for s in (self.writer, self.hearer)}

    def settings(self, service: Service, role: str = "all", **more: Any) -> Settings:
        users = self.users[service.name]
        told: dict[str, str] = {} if role == "relay" else {"mongo_uri": users[PREPARE if role == PREPARE else DECIDER]}
        if role in ("all", "relay"):
            told["relay_mongo_uri"] = users[RELAY]
        base = super().settings(service, "api" if role == PREPARE else role, **more)
        known = base.model_dump(exclude={"mongo_uri", "relay_mongo_uri"})
        return Settings(**known, **told)

    def name(self, service: Service) -> str:
        """The name of a service's database."""
        return self._databases[service.name].name

    async def prepare(self) -> None:
        """What `--prepare` does, for both services."""
        for service in (self.writer, self.hearer):
            runtime = self.runtime_of(service, PREPARE)
            await runtime.prepare()
            await runtime.database.close()


@pytest.fixture
def world(infra: Infra, tmp_path: Path) -> Guarded:
    return Guarded(infra, tmp_path)


def trials(journal: Any) -> dict[str, Callable[[], object]]:
    """Everything one could do to the journal, by name."""
    return {
        "find": lambda: journal.find_one({"_id": "x"}),
        "insert": lambda: journal.insert_one({"stream": secrets.token_hex(4)}),
        "update": lambda: journal.update_one({"_id": "x"}, {"$set": {"events": []}}),
        "replace": lambda: journal.replace_one({"_id": "x"}, {"stream": "other"}),
        "delete": lambda: journal.delete_many({"_id": "x"}),
        "createIndex": lambda: journal.create_index("at"),
        "dropIndex": lambda: journal.drop_index("version"),
        "drop": lambda: journal.database.command("drop", "journal"),
        "aggregate out": lambda: list(journal.aggregate([{"$match": {}}, {"$out": "journal"}])),
        "collMod": lambda: journal.database.command("collMod", "journal", validationLevel="off"),
    }


def may(address: str, collection: str = "journal") -> set[str]:
    """What the user of the address may do to a collection; anything but "may not" is raised."""
    found = set()
    with MongoClient[dict[str, Any]](address) as client:
        for name, trial in trials(client.get_default_database()[collection]).items():
            try:
                trial()
                found.add(name)
            except OperationFailure as error:
                if error.code != REFUSED:
                    raise
    return found


def nobody_does_both(users: dict[str, str]) -> None:
    """The promise: who decides finds and inserts, who relays finds and updates."""
    assert may(users[DECIDER]) == {"find", "insert"}
    assert may(users[RELAY]) == {"find", "update", "replace"}


@pytest.mark.guarantee("G12")
async def test_the_api_cannot_change_the_journal_and_the_relay_cannot_add_to_it(world: Guarded) -> None:
    await world.prepare()
    users = world.users[world.writer.name]
    await asyncio.to_thread(nobody_does_both, users)
    assert await asyncio.to_thread(may, users[RELAY], "contents") == set()
    assert await asyncio.to_thread(may, users[RELAY], "checkpoints") == set()
    other = world.users[world.hearer.name][DECIDER].replace(world.name(world.hearer), world.name(world.writer), 1)
    assert await asyncio.to_thread(may, other) == set(), "another service's user is nobody here"


PLANTED = {
    "who decides may update": ("_APPEND", ("find", "listIndexes", "insert", "update")),
    "who decides may delete": ("_APPEND", ("find", "listIndexes", "insert", "remove")),
    "who relays may insert": ("_MARK", ("find", "listIndexes", "update", "insert")),
    "who relays may delete": ("_MARK", ("find", "listIndexes", "update", "remove")),
    "who decides may make indexes": ("_APPEND", ("find", "listIndexes", "insert", "createIndex")),
}


@pytest.mark.guarantee("G12")
@pytest.mark.parametrize("fault", PLANTED)
async def test_one_right_too_many_is_noticed(world: Guarded, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, *PLANTED[fault])
    await world.prepare()
    with pytest.raises(AssertionError):
        await asyncio.to_thread(nobody_does_both, world.users[world.writer.name])


@pytest.mark.guarantee("G12")
async def test_services_live_with_these_rights_and_the_relays_only_update_takes_the_mark_away(world: Guarded) -> None:
    await world.prepare()
    assert await changes_by_the_relay(world) == {"{'$unset': {'pending': 1}}"}


@pytest.mark.guarantee("G12")
async def test_another_update_by_the_relay_is_noticed(world: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Relay._publish

    async def also_writes(self: Relay, commits: list[Any]) -> None:
        await publish(self, commits)
        await self._marks.update_many({"_id": commits[0].id}, {"$set": {"at": commits[0].at}})

    monkeypatch.setattr(Relay, "_publish", also_writes)
    await world.prepare()
    assert len(await changes_by_the_relay(world)) > 1


async def changes_by_the_relay(world: Guarded) -> set[str]:
    """Run both services in all their roles, and answer every change of a journal that the server saw by its relay."""
    name = world.name(world.writer)
    with MongoClient[dict[str, Any]](world.infra.mongo) as root:
        watched = root[name]
        watched.command("profile", 1, filter={"ns": f"{name}.journal", "op": {"$in": ["update", "remove", "insert"]}})
        async with (
            world.running(world.writer, role="api") as api,
            world.running(world.writer, role="relay"),
            world.running(world.hearer, role="worker") as hearer,
        ):
            for n in range(10):
                await world.add(api, f"t{n}", 1)
            await heard(world, hearer, [f"t{n}" for n in range(10)])
        async with world.running(world.writer) as whole, world.running(world.hearer) as hearer:
            assert await whole.relay._database.collections() == ["journal", "latest", "leases", "marks"]
            await world.add(whole, "again", 1)
            await heard(world, hearer, ["again"])
            journal = whole.database.collection("journal")

            async def all_marked() -> bool:
                return not await journal.count_documents({"pending": True})

            await until(all_marked)
        watched.command("profile", 0)
        seen = list(watched["system.profile"].find({"op": {"$in": ["update", "remove", "insert"]}}))
    by = {(row["user"].partition("@")[0], row["op"]) for row in seen}
    assert by == {(DECIDER, "insert"), (RELAY, "update")}, "the case was not reached, or somebody did more"
    return {str(row["command"]["u"]) for row in seen if row["op"] == "update"}


async def heard(world: World, hearer: Runtime, things: list[str]) -> None:
    """Wait until the hearer has a version of each thing."""
    for thing in things:
        stream = world.totals.stream(world.program, thing)
        await until(lambda stream=stream: hearer.inbox.reader.version(stream))


async def test_a_process_whose_database_is_not_prepared_waits_and_says_what_to_do(
    world: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = world.runtime_of(world.writer)
    with caplog.at_level(logging.WARNING):
        runtime.start()
        await until(lambda: any("--prepare" in getattr(r, "counterpoint.reason", "") for r in caplog.records))
    assert "database" in runtime.waiting_for()
    await world.prepare()
    await until(lambda: not runtime.waiting_for())
    await runtime.stop()


async def test_preparing_again_takes_away_what_is_too_much_and_who_may_not_is_told(
    world: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as too_much:
        too_much.setattr(rights, "_APPEND", ("find", "listIndexes", "insert", "update", "remove"))
        await world.prepare()
    await world.prepare()
    await asyncio.to_thread(nobody_does_both, world.users[world.writer.name])
    settings = world.settings(world.writer, "api")
    code = await asyncio.to_thread(once.main, lambda: Runtime(world.writer, settings), ["--prepare"])
    assert code == once.FAILED


async def test_an_unknown_argument_is_refused_before_anything_is_made() -> None:
    def made() -> Runtime:
        raise AssertionError("nothing is to be made")

    assert once.main(made, ["--rewrite"]) == once.USAGE
