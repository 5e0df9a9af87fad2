"""What real inboxes do, on a real database and under planted faults, is what the model of them may do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chassis.receiving.folding import Folding
from chassis.receiving.inbox import Inbox, Lost
from chassis.running.mongo import Database, WriteFailed
from tests.infrastructure import Infra
from tests.integration.kit import World
from tests.model.explore import accepts
from tests.model.inbox import State
from tests.model.recording_inbox import RecordingInboxes, Shown
from tests.planted.hearing import repeats_are_applied, without_a_fence

pytestmark = pytest.mark.integration

SEEDS = range(12)
REACHED: Counter[str] = Counter()


def shows(state: State) -> Shown:
    return state.offset, state.docs, state.rows


def _here(infra: Infra, folder: Path) -> Callable[[], Database]:
    """How to connect to a database of one's own."""
    world = World(infra, folder)
    settings = world.settings(world.hearer)
    return lambda: Database(str(settings.mongo_uri), settings.mongo_database)


async def record(infra: Infra, folder: Path, seed: int) -> RecordingInboxes:
    """One run of real inboxes."""
    recording = RecordingInboxes(_here(infra, folder), seed)
    try:
        await recording.run()
    finally:
        await recording.close()
    return recording


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_model_accepts_what_real_inboxes_do(infra: Infra, tmp_path: Path, seed: int) -> None:
    recording = await record(infra, tmp_path, seed)
    taken, why = accepts(recording.model, recording.model.start(), recording.trace, shows)
    assert not why, f"step {taken} of {recording.trace}: {why}"
    REACHED["runs"] += 1
    REACHED.update(label[0] for label in recording.trace)


def test_the_hard_cases_were_reached() -> None:
    if not REACHED["runs"]:
        pytest.skip("the runs above were not selected")
    for kind in ("lost", "refused", "abort", "unanswered", "crash", "late-commit", "revoke", "retried"):
        assert REACHED[kind], REACHED


FAULTS = {"without a fence": (Inbox, "_advance", without_a_fence)}
FAULTS["repeats are applied"] = (Folding, "_repeat", repeats_are_applied)


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_planted_in_the_real_inbox_is_not_accepted(
    infra: Infra, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*FAULTS[fault])
    rejected = 0
    for seed in range(3):
        recording = await record(infra, tmp_path, seed)
        rejected += bool(accepts(recording.model, recording.model.start(), recording.trace, shows)[1])
    assert rejected


@pytest.mark.guarantee("G3")
async def test_a_checkpoint_never_goes_back(infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's way there: a batch fails for what is in it, and while its records are tried one by one the partition
    is taken by somebody else, who reads on, and then by us again."""
    recording = RecordingInboxes(_here(infra, tmp_path), 0)
    one, other = (process.inbox for process in recording.processes)
    for inbox in (one, other):
        inbox.on.set_result(None)
    records = [recording.record(offset) for offset in range(3)]
    apply, write = one._apply, one.write
    failed: list[str] = []

    async def write_as_one_fails(folding: Folding, session: Any, foreign: Any = ()) -> None:
        if not failed:
            failed.append("as one")
            raise WriteFailed("planted")
        await write(folding, session, foreign)

    async def second_of_them(given: Any, unfit: str | None = None) -> int:
        if [record.offset for record in given] == [1]:
            await other.take([recording.place])
            await other.apply(records[1:])
            await one.take([recording.place])
        return await apply(given, unfit)

    monkeypatch.setattr(one, "write", write_as_one_fails)
    monkeypatch.setattr(one, "_apply", second_of_them)
    try:
        await one.prepare()
        await one.take([recording.place])
        with suppress(Lost):
            await one.apply(records[:2])
        offset, _, _ = await recording.shows()
    finally:
        await recording.close()
    assert offset == 3
