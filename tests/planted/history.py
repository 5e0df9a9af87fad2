"""Faults in what keeps history from being rewritten, or forked by a restore."""

from __future__ import annotations

from typing import Any

from chassis.deciding.journal import COLLECTION as JOURNAL
from chassis.distributing import auditing
from chassis.distributing.healing import History
from chassis.receiving.folding import Folding
from chassis.running import rights
from tests.planted import Fault

_RIGHTS = rights.of
_AUDIT = "tests/integration/test_audit.py::test_tampering_is_found"


async def _blind(self: History) -> None:
    """Take commands without a look at Kafka."""


def _the_api_may_update(collections: Any) -> Any:
    roles = _RIGHTS(collections)
    return {**roles, rights.DECIDER: {**roles[rights.DECIDER], JOURNAL: ("find", "listIndexes", "insert", "update")}}


def _digests_are_not_compared(self: Folding, heard: Any, doc: Any) -> None:
    self.repeats += 1


FAULTS = [
    Fault(
        "a-start-without-a-look-at-kafka",
        "G4",
        "chassis/distributing/healing.py",
        lambda: setattr(History, "check", _blind),
        ("tests/integration/test_heal.py::test_a_restored_journal_takes_no_command_until_it_is_healed",),
    ),
    Fault(
        "an-audit-that-checks-no-chain",
        "G12",
        "chassis/distributing/auditing.py",
        lambda: setattr(auditing, "check_stream", lambda *_: []),
        (_AUDIT,),
    ),
    Fault(
        "the-api-may-change-the-journal",
        "G12",
        "chassis/running/rights.py",
        lambda: setattr(rights, "of", _the_api_may_update),
        ("tests/integration/test_rights.py::test_the_api_cannot_change_the_journal_and_the_relay_cannot_add_to_it",),
    ),
    Fault(
        "digests-are-not-compared",
        "G12",
        "chassis/receiving/folding.py",
        lambda: setattr(Folding, "_repeat", _digests_are_not_compared),
        ("tests/integration/test_hard_cases.py::test_a_repeated_version_with_another_digest_parks_its_stream",),
    ),
]
