"""Living pairs are looked at again when something about one of the two changes: flagged, cleared, and never ended."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import pytest

from chassis.receiving import tasks as chassis_tasks
from chassis.receiving.tasks import NotYet
from chassis.testing.spec import given
from contracts.enrollment import ProfileField, ProfileRevised, Rules
from contracts.matching import PairCleared, PairFlagged, PairReleased, PairRule, ReleaseCause
from contracts.profiles import Profile, WeeklyWindow, profile_key
from services.matching.checking import CHECK, RecordCheck, broken
from services.matching.pair import PAIR
from services.matching.people import check_new_pair, check_pairs
from services.matching.views import ProgramRow
from tests.spec.matching import people
from tests.spec.matching.people import ADA, NOW, OMAR, PROGRAM, formed, office_hours
from tests.spec.matching.test_away import PAIR_STREAM, World
from tests.spec.matching.test_tasks import opened

CHECKS = f"{PROGRAM}/check/{people.PAIR}"
RULES = Rules(other_site=True)
revised = ProfileRevised(program=PROGRAM, person=OMAR, profile_rev=2, changed=[ProfileField.level])


def profile(person: str, **other: Any) -> Profile:
    usual: dict[str, Any] = {
        "rev": 1,
        "subject": "0" * 64,
        "sides": ["executive" if person == OMAR else "mentor"],
        "level": 6 if person == OMAR else 1,
        "function": "ops",
        "site": person[3:9],
        "zone": "Europe/Lisbon",
        "languages": ["en"],
        "line_complete": True,
        "windows": office_hours(),
    }
    return Profile(program=PROGRAM, person=person, **{**usual, **other})


def flagged(rule: PairRule) -> PairFlagged:
    return PairFlagged(program=PROGRAM, pair=people.PAIR, rule=rule)


def cleared(rule: PairRule) -> PairCleared:
    return PairCleared(program=PROGRAM, pair=people.PAIR, rule=rule)


def look(*rules: PairRule) -> RecordCheck:
    return RecordCheck(program=PROGRAM, pair=people.PAIR, broken=rules)


def test_only_what_is_news_is_said() -> None:
    line, level = flagged(PairRule.line), flagged(PairRule.level)
    given(CHECK).when(look(PairRule.line), NOW).then(line)
    given(CHECK, line).when(look(PairRule.line), NOW).then()
    given(CHECK, line).when(look(PairRule.level), NOW).then(level, cleared(PairRule.line))
    given(CHECK, line, level, cleared(PairRule.line)).when(look(), NOW).then(cleared(PairRule.level))


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({}, None),
        ({"line": [ADA]}, PairRule.line),
        ({"line_complete": False}, PairRule.line),
        ({"level": 3}, PairRule.level),
        ({"languages": ["pt"]}, PairRule.language),
        ({"windows": [WeeklyWindow(weekday=6, first=0, last=8)]}, PairRule.overlap),
        ({"site": ADA[3:9]}, PairRule.place),
    ],
)
def test_each_rule_has_its_word(changed: dict[str, Any], rule: PairRule | None) -> None:
    program = ProgramRow(rules=RULES, rules_version=1, opens=date(2026, 9, 1), closes=date(2027, 2, 28))
    found = broken(PAIR.fold([formed]), profile(ADA), profile(OMAR, **changed), program)
    assert found == ((rule,) if rule else ())


def world(**changed: Any) -> World:
    made = World()
    made.streams |= opened()
    for each in (profile(ADA), profile(OMAR, rev=2, **changed)):
        made.views.profiles[profile_key(PROGRAM, each.person)] = each
    return made


@pytest.mark.guarantee("people")
async def test_who_comes_into_the_line_flags_the_pair_and_who_leaves_it_clears_it() -> None:
    work = world(line=[ADA])
    for _ in range(2):
        await check_pairs(revised, cast(chassis_tasks.Work, work))
    assert work.streams[CHECKS] == [flagged(PairRule.line)]
    work.views.profiles[profile_key(PROGRAM, OMAR)] = profile(OMAR, rev=3)
    await check_pairs(revised.model_copy(update={"profile_rev": 3}), cast(chassis_tasks.Work, work))
    assert work.streams[CHECKS] == [flagged(PairRule.line), cleared(PairRule.line)]
    assert work.streams[PAIR_STREAM] == [formed], "whether it ends is for people to say"


async def test_a_check_waits_for_the_profile_that_has_the_news() -> None:
    work = world()
    with pytest.raises(NotYet):
        await check_pairs(revised.model_copy(update={"profile_rev": 3}), cast(chassis_tasks.Work, work))


async def test_a_new_pair_is_looked_at_and_one_that_is_over_is_not() -> None:
    work = world(level=2)
    await check_new_pair(formed, cast(chassis_tasks.Work, work))
    assert work.streams[CHECKS] == [flagged(PairRule.level)]
    over = world(level=2)
    over.streams[PAIR_STREAM].append(PairReleased(program=PROGRAM, pair=people.PAIR, cause=ReleaseCause.ended))
    await check_new_pair(formed, cast(chassis_tasks.Work, over))
    assert CHECKS not in over.streams
