"""Faults in how somebody is erased."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.deciding.commands import Write
from chassis.deciding.contents import Contents
from chassis.deciding.cuts import Cuts
from chassis.distributing.latest import LatestStore
from chassis.distributing.relay import Relay
from chassis.receiving.erasing import Erasing
from chassis.receiving.tasks import Work
from chassis.running.mongo import Database, Document, Session, WriteFailed
from contracts.enrollment import ErasureRequested
from services.scheduling import erasure as scheduling
from tests.planted import Fault

_ERASING = "tests/integration/test_erasing.py"
_LATE = "tests/integration/test_late_sender.py"
_HEARD, _ERASE = LatestStore.heard, scheduling.erase


async def forget_the_words(self: Contents, *_: Any, **__: Any) -> int:
    """Say that texts were deleted."""
    return 1


async def see_no_cut(self: Cuts, ids: Iterable[str], session: Session) -> frozenset[str]:
    """Keep whatever comes."""
    return frozenset()


async def meet_nobody(self: Erasing, session: Session) -> None:
    """Cut beside the consumers, who write other documents."""


async def send_once(self: LatestStore, tombstones: Any, others: Any, stale: Any, session: Session) -> None:
    """A tombstone was sent, and that is that."""
    await _HEARD(self, tombstones, [], {}, session)


async def forget_who_asked(self: LatestStore, docs: list[Document]) -> None:
    """Take away the mark that somebody has set meanwhile."""
    for doc in docs:
        await self._collection.update_one({"_id": doc["_id"], "rev": doc["rev"]}, {"$unset": {"dirty": 1}})


def keep_late_words(self: Cuts, *ids: str) -> Write:
    """Do not ask whether somebody is cut."""

    async def write(session: Session) -> None:
        for id in ids:
            await self._touch(id, session)

    return write


async def say_nothing(self: Relay) -> None:
    """Let quiet partitions be quiet."""


async def confirm_first(fact: ErasureRequested, work: Work) -> None:
    """Say that everything is deleted, then delete it."""
    said = scheduling.ErasureConfirmedByScheduling(person=fact.person, items=0)
    stream = scheduling.CONFIRMED.stream("org", fact.person)
    await work.run(scheduling.On(scheduling.CONFIRMED, stream, scheduling.Say(fact=said)))
    await _ERASE(fact, work)


async def tell_the_documents(self: Database, command: Document, wanted: int, session: Session | None = None) -> None:
    """Put what could not be written into the error."""
    answer = await self._db.command(command, session=session)
    if answer.get("writeErrors") or answer["n"] != wanted:
        raise WriteFailed(f"{command}: {answer.get('writeErrors', answer['n'])}")


FAULTS = [
    Fault(
        "erasure-forgets-the-words",
        "G8",
        "chassis/deciding/contents.py",
        lambda: setattr(Contents, "erase", forget_the_words),
        (f"{_ERASING}::test_a_text_that_comes_late_is_refused",),
    ),
    Fault(
        "erasure-forgets-the-insights",
        "G8",
        "chassis/deciding/contents.py",
        lambda: setattr(Contents, "remove", forget_the_words),
        ("tests/e2e/test_erasure.py::test_nothing_is_left_and_building_again_brings_nothing_back",),
    ),
    Fault(
        "built-again-brings-back",
        "G8",
        "chassis/deciding/cuts.py",
        lambda: setattr(Cuts, "among", see_no_cut),
        (
            f"{_ERASING}::test_a_cut_reaches_every_version_and_nothing_that_comes_later_is_kept",
            f"{_ERASING}::test_built_again_after_a_cut_the_views_are_the_live_ones",
        ),
    ),
    Fault(
        "cut-meets-no-consumer",
        "G8",
        "chassis/receiving/erasing.py",
        lambda: setattr(Erasing, "_meet_consumers", meet_nobody),
        (f"{_ERASING}::test_of_a_cut_and_a_hearer_at_the_same_moment_one_tries_again",),
    ),
    Fault(
        "tombstone-sent-once",
        "G8",
        "chassis/distributing/latest.py",
        lambda: setattr(LatestStore, "heard", send_once),
        (
            f"{_LATE}::test_a_late_name_is_covered_by_a_tombstone_again",
            f"{_LATE}::test_a_late_revision_is_covered_by_the_newer_one_again",
        ),
    ),
    Fault(
        "asked-again-and-forgotten",
        "G8",
        "chassis/distributing/latest.py",
        lambda: setattr(LatestStore, "sent", forget_who_asked),
        (f"{_ERASING}::test_what_is_asked_for_again_while_it_is_sent_is_sent_again",),
    ),
    Fault(
        "late-words-are-kept",
        "G8",
        "chassis/deciding/cuts.py",
        lambda: setattr(Cuts, "uncut", keep_late_words),
        (f"{_ERASING}::test_a_text_that_comes_late_is_refused",),
    ),
    Fault(
        "no-heartbeat",
        "G8",
        "chassis/distributing/relay.py",
        lambda: setattr(Relay, "_beat", say_nothing),
        (f"{_LATE}::test_quiet_partitions_hear_a_record_that_says_nothing",),
    ),
    Fault(
        "confirmed-before-deleted",
        "G8",
        "services/scheduling/erasure.py",
        lambda: setattr(scheduling, "erase", confirm_first),
        ("tests/spec/scheduling/test_erasure.py::test_it_says_so_once_nothing_is_left",),
    ),
    Fault(
        "documents-in-errors",
        "G8",
        "chassis/running/mongo.py",
        lambda: setattr(Database, "_write", tell_the_documents),
        (f"{_ERASING}::test_an_error_of_the_database_tells_nothing_of_a_document",),
    ),
]
