"""A page is marked while the next one is read and sent, and nothing is sent twice for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chassis.deciding.journal import COLLECTION
from chassis.distributing import relay as relay_file
from chassis.distributing.slots import slot_of
from chassis.running.runtime import Runtime
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G2")]
PAGE, COMMITS = 2, 5
MARKING = 0.5
"""Seconds that a mark takes at least: longer than a read, so that whoever does not wait for it sends again."""


async def test_the_next_page_is_sent_before_this_one_is_marked(
    infra: Infra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_file, "PAGE", PAGE)
    world = World(infra, tmp_path)
    async with world.running(world.writer, role="api") as writer:
        relay = writer.relay
        by_slot = {slot_of(world.totals.stream(world.program, f"t{n}")): f"t{n}" for n in range(50)}
        for thing in list(by_slot.values())[:COMMITS]:
            await world.add(writer, thing, 1)
        sent: list[str] = []
        may_mark = asyncio.Event()
        send, mark = relay._send, relay._mark

        async def sending(producer: Any, lane: Any, commits: Any) -> int:
            sent.extend(commit.id for commit in commits)
            return await send(producer, lane, commits)

        async def marking(ids: list[str]) -> None:
            await may_mark.wait()
            await asyncio.sleep(MARKING)
            await mark(ids)

        monkeypatch.setattr(relay, "_send", sending)
        monkeypatch.setattr(relay, "_mark", marking)
        await relay.sweep()
        assert len(sent) == 1, "the slot at the end of a full page is left for the next one"
        next_page = asyncio.create_task(relay.sweep())
        await until(lambda: len(sent) == 2)
        assert await _pending(writer) == COMMITS
        may_mark.set()
        await next_page
        while await relay.sweep():
            pass
        await relay._disconnect()
        assert await _pending(writer) == 0
        assert len(sent) == len(set(sent)) == COMMITS, "something was sent twice"


async def _pending(writer: Runtime) -> int:
    found: int = await writer.database.collection(COLLECTION).count_documents({"pending": True})
    return found
