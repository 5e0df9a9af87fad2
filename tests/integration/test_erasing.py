"""What is cut stays away: from views of any version, from texts, from documents; whoever comes late or at once."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chassis.deciding.commands import Conflict, random_id
from chassis.deciding.contents import Contents
from chassis.deciding.cuts import Cuts
from chassis.deciding.decider import Refused
from chassis.deciding.documents import Documents
from chassis.distributing.latest import LatestStore
from chassis.receiving.erasing import Erasing
from chassis.receiving.inbox import Inbox
from chassis.receiving.tasks import Tasks
from chassis.receiving.versions import Versions
from chassis.receiving.views import StateView
from chassis.running.mongo import Database, WriteFailed, is_transient
from contracts.all import CATALOG
from contracts.profiles import PEOPLE, Person, person_key
from contracts.streams import ORG
from tests.infrastructure import Infra
from tests.integration.kit import now

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G8")]

VIEW = StateView("people", PEOPLE, Person, personal=True)
PLACE = (PEOPLE, 0)


@dataclass
class Record:
    """A record of the topic of people."""

    offset: int
    key: bytes
    value: bytes | None
    topic: str = PEOPLE
    partition: int = 0
    timestamp: int = 0
    headers: list[tuple[str, bytes]] = field(default_factory=list)


class Hearer:
    """A service that hears about people, and has two versions of its views."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.versions = Versions(database, "hearer", 1)
        self.erasing = Erasing(database, self.versions, (VIEW,))
        self.live, self.second = self.inbox(1), self.inbox(2, 1)
        self.person = random_id("pe")
        self.offset = 0

    def inbox(self, version: int, follows: int | None = None) -> Inbox:
        return Inbox("hearer", CATALOG, self.database, (), (VIEW,), Tasks([]), now, version, follows)

    async def prepare(self) -> None:
        await self.versions.prepare()
        assert await self.versions.begin(2, await self.versions.pointer())
        for inbox in (self.live, self.second):
            await inbox.prepare()
            await inbox.take([PLACE])

    def record(self, rev: int, offset: int) -> Record:
        said = Person(rev=rev, person=self.person, name=f"Name {rev}", mail="a@b.example")
        return Record(offset, person_key(self.person).encode(), said.encode().encode())

    def tombstone(self, offset: int) -> Record:
        return Record(offset, person_key(self.person).encode(), None)

    async def kept(self, inbox: Inbox) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.database.collection(inbox.collection).find({}).to_list(None)
        return found


@pytest.fixture
async def hearer(infra: Infra) -> AsyncIterator[Hearer]:
    made = infra.database()
    database = Database(made.uri, made.name)
    hearer = Hearer(database)
    await hearer.prepare()
    yield hearer
    await database.close()


async def test_a_cut_reaches_every_version_and_nothing_that_comes_later_is_kept(hearer: Hearer) -> None:
    for inbox in (hearer.live, hearer.second):
        await inbox.apply([hearer.record(1, 0)])
        assert len(await hearer.kept(inbox)) == 1, "there was something"
    assert await hearer.erasing.cut(hearer.person, [], now()) == 2
    for inbox in (hearer.live, hearer.second):
        await inbox.apply([hearer.record(5, 1)])
        assert await hearer.kept(inbox) == []
    assert await hearer.erasing.left(hearer.person, []) == 0


async def test_built_again_after_a_cut_the_views_are_the_live_ones(hearer: Hearer) -> None:
    """Live heard the name before the cut, its tombstone after it; who builds again hears both after it."""
    await hearer.live.apply([hearer.record(1, 0)])
    await hearer.erasing.cut(hearer.person, [], now())
    await hearer.live.apply([hearer.tombstone(1)])
    await hearer.second.apply([hearer.record(1, 0), hearer.tombstone(1)])
    assert await hearer.kept(hearer.live) == await hearer.kept(hearer.second) == []


async def test_of_a_cut_and_a_hearer_at_the_same_moment_one_tries_again(hearer: Hearer) -> None:
    """The hearer has looked at what is cut, and has not written yet, when the cut is made."""
    looked, go_on = asyncio.Event(), asyncio.Event()
    write = hearer.live.write

    async def late(*arguments: Any) -> None:
        looked.set()
        await go_on.wait()
        await write(*arguments)

    hearer.live.write = late  # type: ignore[method-assign]
    hearing = asyncio.create_task(hearer.live.apply([hearer.record(1, 0)]))
    await looked.wait()
    cutting = asyncio.create_task(hearer.erasing.cut(hearer.person, [], now()))
    await asyncio.sleep(0.1)
    go_on.set()
    for each in await asyncio.gather(hearing, cutting, return_exceptions=True):
        assert not isinstance(each, BaseException) or is_transient(each), each
    hearer.live.write = write  # type: ignore[method-assign]
    if cutting.exception():
        await hearer.erasing.cut(hearer.person, [], now())
    if hearing.exception():
        await hearer.live.take([PLACE])
        await hearer.live.apply([hearer.record(1, 0)])
    assert await hearer.kept(hearer.live) == []


async def test_a_text_that_comes_late_is_refused(hearer: Hearer) -> None:
    database, partner = hearer.database, random_id("pe")
    cuts, contents = Cuts(database), Contents(database, base64.b64decode(base64.b64encode(os.urandom(32))))
    both = (hearer.person, partner)

    async def write(id: str) -> None:
        async with database.transaction() as session:
            await cuts.uncut(*both)(session)
            await contents.put("pr_x", id, "words", now(), about=both)(session)

    await write("co_1")
    await hearer.erasing.cut(hearer.person, [], now())
    assert await contents.erase(hearer.person) == 1
    with pytest.raises(Refused):
        await write("co_2")
    assert (await contents.about(hearer.person), await contents.about(partner)) == (0, 0)


async def test_of_a_cut_and_a_text_at_the_same_moment_one_fails(hearer: Hearer) -> None:
    database, cuts = hearer.database, Cuts(hearer.database)
    contents = Contents(database, os.urandom(32))
    with pytest.raises(Exception) as failed:
        async with database.transaction() as session:
            assert not await cuts.among([hearer.person], session)
            await hearer.erasing.cut(hearer.person, [], now())
            await cuts.uncut(hearer.person)(session)
            await contents.put("pr_x", "co_1", "words", now(), about=[hearer.person])(session)
    assert is_transient(failed.value), "tried again, it sees the cut"
    assert await contents.about(hearer.person) == 0


async def test_what_was_copied_before_a_cut_is_not_kept_after_it(hearer: Hearer) -> None:
    cuts, documents, program = Cuts(hearer.database), Documents(hearer.database), random_id("pr")

    async def copy(seen: int) -> None:
        async with hearer.database.transaction() as session:
            await cuts.still(program, seen)(session)
            await documents.put("round-input", program, "ro_1", {"of": "everybody"})(session)

    seen = await cuts.seen(program)
    await copy(seen)
    await hearer.erasing.cut(hearer.person, [program], now())
    with pytest.raises(Conflict):
        await copy(seen)
    await copy(await cuts.seen(program))


async def test_what_is_buried_cannot_be_written_again(hearer: Hearer) -> None:
    documents = Documents(hearer.database)
    await documents.save("member", ORG, "one", {"name": "a name"})
    await documents.bury("member", ORG, "one")(None)
    with pytest.raises(Conflict):
        await documents.save("member", ORG, "one", {"name": "a name"})
    assert await documents.get("member", ORG, "one") is None and await documents.find("member", ORG) == []


async def test_an_error_of_the_database_tells_nothing_of_a_document(hearer: Hearer) -> None:
    docs = [{"_id": "the same", "name": "a name"}] * 2
    with pytest.raises(WriteFailed) as failed:
        await hearer.database.insert("things", docs)
    assert "a name" not in str(failed.value) and "11000" in str(failed.value)


async def test_what_is_asked_for_again_while_it_is_sent_is_sent_again(hearer: Hearer) -> None:
    """A late record may come back between a tombstone's sending and its mark."""
    store = LatestStore(hearer.database)
    await store.prepare()
    async with hearer.database.transaction() as session:
        await store.put(PEOPLE, hearer.person, Person(rev=1, person=hearer.person, name="N", mail="m@x.example"))(
            session
        )
    async with hearer.database.transaction() as session:
        await store.erase(PEOPLE, hearer.person, now())(session)
    sending = await store.unsent(10)
    assert [(d["value"], "doc" in d) for d in sending] == [(None, False)], "what it said is gone"
    async with hearer.database.transaction() as session:
        await store.heard([], [f"{PEOPLE}|{hearer.person}"], {}, session)
    await store.sent(sending)
    again = await store.unsent(10)
    assert len(again) == 1
    await store.sent(again)
    assert await store.unsent(10) == []
