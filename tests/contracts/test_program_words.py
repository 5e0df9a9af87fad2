"""What the contracts themselves decide: a program's defaults and bounds, roles, time zones, windows, keys, instants."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.enrollment import CharterAccepted, Role, RoleGranted, Rules, Term, roles_after
from contracts.profiles import Profile, ReferenceKind, WeeklyWindow, Zone, person_key, profile_key, reference_key
from contracts.types import Instant, instant_text

PROGRAM, PERSON = "pr_" + "a" * 26, "pe_" + "b" * 26


def test_the_defaults_are_the_promised_ones() -> None:
    rules = Rules()
    assert (rules.sessions, rules.months, rules.cadence_weeks, rules.minutes) == (6, 6, 4, 45)
    assert (rules.level_gap, rules.window_minutes, rules.overlap_minutes) == (3, 45, 60)
    assert (rules.capacity_mentor, rules.capacity_executive, rules.consent_working_days) == (1, 1, 3)
    assert rules.weights.keys() == set(Term) - {Term.unknown}
    assert sum(rules.weights.values()) == 10_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 14},
        {"minutes": 91},
        {"cadence_weeks": 0},
        {"cadence_weeks": 14},
        {"capacity_mentor": 4},
        {"capacity_executive": 0},
        {"level_gap": 0},
        {"weights": {"seeks": -1}},
    ],
)
def test_a_rule_out_of_its_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rules.model_validate(wrong)


def test_roles_add_up_and_an_unknown_one_grants_nothing() -> None:
    granted = frozenset[Role]()
    for role in ("coordinator", "sponsor", "sponsor", "emperor"):
        fact = RoleGranted.model_validate({"program": PROGRAM, "person": PERSON, "role": role})
        granted = roles_after(granted, fact)
    assert granted == {Role.coordinator, Role.sponsor}
    assert roles_after(granted, CharterAccepted(program=PROGRAM, person=PERSON, charter_version=1)) == granted


ZONE: TypeAdapter[str] = TypeAdapter(Zone)


@pytest.mark.parametrize(
    "zone", ["Asia/Kolkata", "Australia/Lord_Howe", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"]
)
def test_a_zone_of_the_database_is_taken(zone: str) -> None:
    assert ZONE.validate_python(zone) == zone


@pytest.mark.parametrize("zone", ["", "America", "Europe/Atlantis", "../UTC", "/etc/localtime", "UTC\n", "+05:30"])
def test_any_other_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError):
        ZONE.validate_python(zone)


@pytest.mark.parametrize("window", [(0, 8, 8), (0, 9, 8), (7, 0, 4), (0, 90, 97), (0, -1, 4)])
def test_a_window_that_is_none_is_refused(window: tuple[int, int, int]) -> None:
    weekday, first, last = window
    with pytest.raises(ValidationError):
        WeeklyWindow(weekday=weekday, first=first, last=last)


def test_a_window_may_fill_the_day() -> None:
    assert WeeklyWindow(weekday=6, first=0, last=96).last == 96


def test_who_only_holds_a_role_needs_no_level_but_who_takes_part_does() -> None:
    sponsor = {"rev": 1, "program": PROGRAM, "person": PERSON, "subject": "0" * 64}
    assert Profile.model_validate(sponsor).sides == []
    with pytest.raises(ValidationError, match="level, function, site, zone, languages"):
        Profile.model_validate(sponsor | {"sides": ["mentor"]})


def test_the_keys_of_state_records() -> None:
    assert person_key(PERSON) == PERSON
    assert profile_key(PROGRAM, PERSON) == f"{PROGRAM}/{PERSON}"
    assert reference_key(PROGRAM, ReferenceKind.site, "pune") == f"{PROGRAM}/site/pune"


INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1), timezones=offsets)  # noqa: DTZ001


@given(moments, moments)
def test_the_texts_of_instants_sort_as_the_instants_do(a: datetime, b: datetime) -> None:
    a, b = INSTANT.validate_python(a), INSTANT.validate_python(b)
    assert (instant_text(a) < instant_text(b)) == (a < b)
    assert INSTANT.validate_json(INSTANT.dump_json(a)) == a


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        INSTANT.validate_python("2027-01-01T09:00:00")
