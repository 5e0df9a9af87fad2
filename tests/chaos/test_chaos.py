"""Commands go on while processes, servers and connections fail: nothing answered is lost, doubled or out of order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.driver import Run, absent, chaos
from tests.chaos.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G1", "G2", "G3", "G4")]

SEED = int(os.environ.get("COUNTERPOINT_CHAOS_SEED", "1"))


async def test_whatever_fails_nothing_answered_is_lost_doubled_or_out_of_order(field: Servers, tmp_path: Path) -> None:
    verdict = await chaos(field, tmp_path, Run(SEED), print)
    assert not verdict.findings, str(verdict)
    assert not absent(verdict.counts), "the hard cases were not reached"
    assert verdict.counts["repeats on Kafka"] > 0
