"""Asking for a pair directly: the same rules as in a round, the mentor is never pressed, and nobody learns of a no."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from chassis.deciding.decider import Refused
from chassis.testing.spec import given
from contracts.enrollment import CharterAccepted, Consent, ExecutiveEnrolled, MentorEnrolled, Rules
from contracts.fact import Fact
from contracts.matching import DeclineCause, Origin, PairDeclined, PartnerMet, SeatsSet
from contracts.profiles import Channel, Profile, profile_key
from contracts.types import Side
from services.matching import direct
from services.matching.direct import Ask, shown, weigh
from services.matching.forming import form, pair_id
from services.matching.judging import Judged
from services.matching.partners import partners_stream
from services.matching.proposal import (
    PROPOSAL,
    AnswerConsent,
    AskForPair,
    LapseConsent,
)
from services.matching.remaining import APART
from services.matching.seat import seat_stream
from services.matching.views import ProgramRow
from tests.spec.matching import people
from tests.spec.matching.people import ADA, AFTER, LATER, NOW, OMAR, PROGRAM, office_hours
from tests.spec.matching.work import Work

SIDE = {Origin.mentor: Side.executive, Origin.executive: Side.mentor, Origin.coordinator: Side.mentor}
PROPOSAL_STREAM = f"{PROGRAM}/proposal/{people.PROPOSAL}"
declined = PairDeclined(program=PROGRAM, proposal=people.PROPOSAL, cause=DeclineCause.declined)
MET = PartnerMet(person=ADA, partner=OMAR, pair=people.an_id("pa", "elsewhere"))
lapsed = declined.model_copy(update={"cause": DeclineCause.lapsed})


def asking(origin: Origin) -> AskForPair:
    return AskForPair(
        program=PROGRAM,
        proposal=people.PROPOSAL,
        mentor=ADA,
        executive=OMAR,
        origin=origin,
        rules_version=1,
        score=0,
        terms={},
        after=AFTER,
        first=SIDE[origin],
        lapses=LATER,
    )


def asked(origin: Origin) -> list[Fact]:
    """What an ask says: who the first asked is depends on whose idea it was."""
    proposed = people.proposed.model_copy(update={"origin": origin, "round": None})
    given = [people.mentor_agreed] if origin is Origin.mentor else []
    return [proposed, *given, people.executive_asked if origin is Origin.mentor else people.mentor_asked]


def answer(side: Side, yes: bool = True) -> AnswerConsent:
    return AnswerConsent(side=side, yes=yes, lapses=LATER)


@pytest.mark.parametrize("origin", SIDE)
def test_an_ask_is_said_once_and_asks_the_other_one(origin: Origin) -> None:
    given(PROPOSAL).when(asking(origin), NOW).then(*asked(origin))
    given(PROPOSAL, *asked(origin)).when(asking(origin), NOW).then()


def test_a_mentors_ask_needs_the_executives_yes_alone() -> None:
    past = asked(Origin.mentor)
    given(PROPOSAL, *past).when(answer(Side.mentor), NOW).refused("already-asked")
    given(PROPOSAL, *past).when(answer(Side.executive), NOW).then(people.executive_agreed)


@pytest.mark.guarantee("people")
def test_an_executives_ask_forms_nothing_without_the_mentor_and_everything_with_their_yes() -> None:
    past = asked(Origin.executive)
    given(PROPOSAL, *past).when(answer(Side.executive), NOW).refused("already-asked")
    given(PROPOSAL, *past).when(answer(Side.mentor), NOW).then(people.mentor_agreed, people.executive_agreed)
    given(PROPOSAL, *past).when(answer(Side.mentor), LATER).refused("lapsed")
    given(PROPOSAL, *past).when(LapseConsent(side=Side.mentor), LATER).then(lapsed)


def test_a_coordinators_ask_goes_the_way_of_a_rounds_proposal() -> None:
    past = asked(Origin.coordinator)
    given(PROPOSAL, *past).when(answer(Side.executive), NOW).refused("not-asked")
    given(PROPOSAL, *past).when(answer(Side.mentor), NOW).then(people.mentor_agreed, people.executive_asked)


@pytest.mark.parametrize("consent", [Consent.both, Consent.executive])
def test_only_a_coordinators_ask_follows_the_rule_of_consent(consent: Consent) -> None:
    first = {origin: Ask(PROGRAM, origin, ADA, OMAR).first(Rules(consent=consent)) for origin in SIDE}
    by_rule = Side.mentor if consent is Consent.both else Side.executive
    assert first == {**SIDE, Origin.coordinator: by_rule}


@pytest.mark.parametrize("origin", [Origin.mentor, Origin.executive])
def test_whoever_asked_can_take_it_back(origin: Origin) -> None:
    side = Side(origin.value)
    given(PROPOSAL, *asked(origin)).when(answer(side, yes=False), NOW).then(declined)
    given(PROPOSAL, *asked(origin), declined).when(answer(side, yes=False), NOW).then()


def test_forming_from_an_executives_ask_is_the_mentors_command() -> None:
    state = PROPOSAL.fold(asked(Origin.executive))
    assert state.last is Side.mentor
    answering, pair, *_ = form(state, 1, 1, NOW, Rules())
    assert answering.command == AnswerConsent(side=Side.mentor, yes=True, lapses=NOW)
    assert pair.command.round is None  # type: ignore[attr-defined]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("origin", [Origin.mentor, Origin.executive])
def test_who_asked_sees_the_same_whether_the_other_said_no_or_nothing(origin: Origin) -> None:
    waiting, no, nothing = (PROPOSAL.fold([*asked(origin), *end]) for end in ([], [declined], [lapsed]))
    just_before = LATER - timedelta(milliseconds=1)
    assert {shown(p, just_before) for p in (waiting, no)} == {"waiting"}
    assert {shown(p, LATER) for p in (waiting, no, nothing)} == {"over"}


def test_a_coordinator_sees_at_once_what_becomes_of_an_ask() -> None:
    assert shown(PROPOSAL.fold(asked(Origin.coordinator)), NOW) == "waiting"
    assert shown(PROPOSAL.fold([*asked(Origin.coordinator), declined]), NOW) == "over"


def profile(person: str, side: Side, level: int, other: dict[str, Any]) -> Profile:
    usual: dict[str, Any] = {
        "function": "ops",
        "site": "here",
        "zone": "Europe/Berlin",
        "languages": ["en"],
        "line_complete": True,
        "channels": [Channel.video],
        "windows": office_hours(),
    }
    about = {"rev": 1, "program": PROGRAM, "person": person, "subject": "0" * 64, "sides": [side], "level": level}
    return Profile.model_validate(about | usual | other)


def a_program(ada: dict[str, Any] | None = None, omar: dict[str, Any] | None = None, capacity: int = 1) -> Work:
    """Ada and Omar take part, and nothing keeps them apart but what is said."""
    work = Work(
        {
            f"{PROGRAM}/participation/{ADA}": [
                MentorEnrolled(program=PROGRAM, person=ADA, profile_rev=1, capacity=capacity),
                CharterAccepted(program=PROGRAM, person=ADA, charter_version=1),
            ],
            f"{PROGRAM}/participation/{OMAR}": [
                ExecutiveEnrolled(program=PROGRAM, person=OMAR, profile_rev=1, capacity=capacity),
                CharterAccepted(program=PROGRAM, person=OMAR, charter_version=1),
            ],
            seat_stream(PROGRAM, ADA, Side.mentor): [
                SeatsSet(program=PROGRAM, person=ADA, side=Side.mentor, capacity=capacity)
            ],
            seat_stream(PROGRAM, OMAR, Side.executive): [people.seats(capacity)],
        }
    )
    work.views.profiles[profile_key(PROGRAM, ADA)] = profile(ADA, Side.mentor, 1, ada or {})
    work.views.profiles[profile_key(PROGRAM, OMAR)] = profile(OMAR, Side.executive, 5, omar or {})
    return work


async def weighed(work: Work, origin: Origin, rules: Rules | None = None) -> Judged | str:
    """The two as they are judged, or what the refusal says."""
    row = ProgramRow(rules=rules or Rules(), rules_version=1, opens=NOW.date(), closes=LATER.date())
    ask = Ask(PROGRAM, origin, ADA, OMAR)
    try:
        return await weigh(cast(direct.Reading, work), row, ask, NOW)
    except Refused as refused:
        return f"{refused.code}: {refused.detail}"


async def test_two_whom_no_rule_keeps_apart_can_be_asked_for() -> None:
    for origin in SIDE:
        found = await weighed(a_program(), origin)
        assert isinstance(found, Judged) and found.rule is None
        assert found.after == [f"{PROGRAM}/participation/{person}@2" for person in (ADA, OMAR)]


@pytest.mark.parametrize("origin", SIDE)
async def test_a_rule_that_compares_the_two_is_named(origin: Origin) -> None:
    for change, told in (({"languages": ["fr"]}, "language"), ({"windows": []}, "window"), ({"level": 3}, "level")):
        found = await weighed(a_program(ada=change), origin)
        assert found == f"not-possible: {direct._THEIRS[told]}; ask for somebody else"


AGAINST_OMAR: dict[str, Any] = {
    "his line is not complete": lambda: a_program(omar={"line_complete": False}),
    "she reports to him": lambda: a_program(ada={"line": [OMAR]}),
    "he does not take part": lambda: without(a_program(), f"{PROGRAM}/participation/{OMAR}"),
    "he has no seat": lambda: with_(a_program(), seat_stream(PROGRAM, OMAR, Side.executive), people.taken(people.PAIR)),
    "he is being asked": lambda: with_(a_program(), PROPOSAL_STREAM, *asked(Origin.coordinator)),
    "they were a pair": lambda: with_(a_program(), f"{PROGRAM}/pair/{pair_id(PROGRAM, ADA, OMAR)}", people.formed),
    "they were a pair in another program": lambda: with_(a_program(), partners_stream(ADA), MET),
}


def without(work: Work, stream: str) -> Work:
    del work.streams[stream]
    return work


def with_(work: Work, stream: str, *facts: Fact) -> Work:
    work.streams.setdefault(stream, []).extend(facts)
    return work


@pytest.mark.guarantee("people")
async def test_what_concerns_the_other_one_alone_is_one_answer_to_who_asks() -> None:
    said = {await weighed(make(), Origin.mentor) for make in AGAINST_OMAR.values()}
    assert said == {f"not-possible: {direct._UNTOLD}; ask for somebody else"}
    told = [await weighed(make(), Origin.coordinator) for make in AGAINST_OMAR.values()]
    assert len(set(told)) == 4, "a coordinator, who sees the roster and the pairs, is told which"


@pytest.mark.parametrize(
    ("work", "told"),
    [
        (lambda: a_program(ada={"line_complete": False}), "line_incomplete"),
        (lambda: without(a_program(), f"{PROGRAM}/participation/{ADA}"), "absent"),
        (lambda: with_(a_program(), seat_stream(PROGRAM, ADA, Side.mentor), people.taken(people.PAIR)), "seat"),
    ],
)
async def test_what_is_ones_own_to_mend_is_told(work: Any, told: str) -> None:
    assert await weighed(work(), Origin.mentor) == f"not-ready: {direct._OWN[told]}"


@pytest.mark.guarantee("people")
async def test_asking_again_or_somebody_else_tells_nothing_of_the_first_answer() -> None:
    """An ask keeps its seat, and is asked once, whatever became of it."""
    for end in ([], [declined], [lapsed]):
        again = with_(a_program(), PROPOSAL_STREAM, *asked(Origin.mentor), *end)
        assert str(await weighed(again, Origin.mentor)).startswith("asked-before")
        other = people.an_id("pe", "pia")
        proposed, *rest = asked(Origin.mentor)
        elsewhere = [proposed.model_copy(update={"executive": other}), *rest]
        busy = with_(a_program(), PROPOSAL_STREAM, *elsewhere, *end)
        assert await weighed(busy, Origin.mentor) == f"not-ready: {direct._OWN['seat']}"


async def test_what_others_ask_one_silently_does_not_keep_one_from_asking() -> None:
    other = people.an_id("pe", "pia")
    proposed, question = asked(Origin.coordinator)
    silent = [proposed.model_copy(update={"executive": other}), question]
    assert isinstance(await weighed(with_(a_program(), PROPOSAL_STREAM, *silent), Origin.mentor), Judged)
    found = await weighed(with_(a_program(), PROPOSAL_STREAM, *silent), Origin.executive)
    assert found == f"not-possible: {direct._UNTOLD}; ask for somebody else", "her seat is promised"


async def test_a_no_from_before_counts_for_who_knows_of_it() -> None:
    """A coordinator sees it; an executive who asks would learn that a mentor said no to them."""
    before = [people.proposed, people.mentor_asked, declined]
    assert isinstance(await weighed(with_(a_program(), PROPOSAL_STREAM, *before), Origin.executive), Judged)
    told = await weighed(with_(a_program(), PROPOSAL_STREAM, *before), Origin.coordinator)
    assert told == f"not-possible: {direct._THEIRS[APART]}; ask for somebody else"
