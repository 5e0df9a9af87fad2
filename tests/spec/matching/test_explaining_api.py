"""Who is told what by the explaining operations; and that an exclusion shows in none of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.deciding.decider import Refused
from chassis.running.http import Problem
from contracts.enrollment import CharterAccepted, ExecutiveEnrolled, MentorEnrolled, ProgramOpened, Rules
from contracts.fact import Fact
from contracts.matching import PairReleased, PartnerMet, PersonExcluded, ReleaseCause, RoundKind, SeatsSet
from contracts.profiles import Channel, Profile, profile_key
from contracts.types import Side
from services.matching.api import explaining as api
from services.matching.cohort import Cohort
from services.matching.erasure import CUT, RESULT
from services.matching.freezing import INPUT, freeze
from services.matching.partners import partners_stream
from services.matching.placing import place
from services.matching.round import ROUND as ROUNDS
from services.matching.round import OpenRound, RecordSolution
from services.matching.seat import seat_stream
from tests.spec.matching import people
from tests.spec.matching.people import ADA, OMAR, PAIR, PROGRAM, an_id, office_hours
from tests.spec.matching.work import Work

BEN, PIA = an_id("pe", "ben"), an_id("pe", "pia")
MENTORS, EXECUTIVES = (ADA, BEN), (OMAR, PIA)
Many = dict[str, dict[str, Any]]


class Ctx(Work):
    """A request to the operations, in memory."""

    def __init__(self, streams: dict[str, list[Fact]], person: str = "", *roles: str) -> None:
        super().__init__(streams)
        self.caller = SimpleNamespace(person=person, roles=frozenset(roles))


def profile(person: str, side: Side, **other: Any) -> Profile:
    usual: dict[str, Any] = {
        "level": 1 if side is Side.mentor else 5,
        "function": "ops",
        "site": "here",
        "zone": "Europe/Berlin",
        "languages": ["en"],
        "offers": ["data"],
        "seeks": ["data"],
        "line_complete": True,
        "channels": [Channel.video],
        "windows": office_hours(),
    }
    return Profile(rev=1, program=PROGRAM, person=person, subject="0" * 64, sides=[side], **usual | other)


def program(
    different: Many | None = None, excluded: dict[str, str] | None = None, met: tuple[str, str] | None = None
) -> Ctx:
    """Two on each side, who may be different from the usual; `excluded` is who excludes whom, and `met` in another
    program two have."""
    opened = ProgramOpened(
        program=PROGRAM,
        rules=Rules(),
        rules_version=1,
        opens=date(2026, 9, 1),
        closes=date(2027, 2, 28),
        floor_numbers=5,
        floor_words=10,
    )
    streams: dict[str, list[Fact]] = {f"{PROGRAM}/program/{PROGRAM}": [opened]}
    for who, whom in (met, met[::-1]) if met else ():
        streams[partners_stream(who)] = [PartnerMet(person=who, partner=whom, pair=an_id("pa", "elsewhere"))]
    ctx = Ctx(streams, "", "coordinator")
    for person in (*MENTORS, *EXECUTIVES):
        side = Side.mentor if person in MENTORS else Side.executive
        enrolled = MentorEnrolled if side is Side.mentor else ExecutiveEnrolled
        streams[f"{PROGRAM}/participation/{person}"] = [
            enrolled(program=PROGRAM, person=person, profile_rev=1, capacity=1),
            CharterAccepted(program=PROGRAM, person=person, charter_version=1),
        ]
        seats = streams.setdefault(seat_stream(PROGRAM, person, side), [])
        seats.append(SeatsSet(program=PROGRAM, person=person, side=side, capacity=1))
        if person in (excluded or {}):
            seats.append(PersonExcluded(program=PROGRAM, person=person, other=(excluded or {})[person]))
        ctx.views.profiles[profile_key(PROGRAM, person)] = profile(person, side, **(different or {}).get(person, {}))
    return ctx


async def opened(ctx: Ctx, name: str = "first") -> str:
    """A round of the program, solved; answers its id."""
    round = an_id("ro", name)
    cohort: Cohort = await freeze(ctx, PROGRAM)  # type: ignore[arg-type]
    placed = place(cohort)
    stream = ROUNDS.stream(PROGRAM, round)
    facts: list[Fact] = []
    for command in (
        OpenRound(
            program=PROGRAM,
            round=round,
            kind=RoundKind.cohort,
            rules_version=1,
            objective=cohort.rules.objective,
            mentors=len(cohort.mentors),
            executives=len(cohort.executives),
            input=cohort.digest(),
            solver=(2, 0, 0),
        ),
        RecordSolution(
            proposed=len(placed.placed),
            unplaced_mentors=0,
            unplaced_executives=0,
            total=placed.total,
            optimal=True,
            certificate=placed.certificate,
            millis=1,
        ),
    ):
        facts += ROUNDS.decide(command, ROUNDS.fold(facts), people.NOW)
    ctx.streams[stream] = facts
    await ctx.documents.save(INPUT, PROGRAM, round, cohort.model_dump(mode="json"))
    await ctx.documents.save(RESULT, PROGRAM, round, placed.model_dump(mode="json"))
    return round


async def explain(ctx: Any, round: str, mentor: str | None = None, executive: str | None = None) -> dict[str, Any]:
    return await api.explain_round(ctx, PROGRAM, round, mentor, executive, None, None, 200)


async def explain_person(ctx: Any, round: str, person: str) -> dict[str, Any]:
    [found] = (await api.explain_round(ctx, PROGRAM, round, None, None, person, None, 200))["items"]
    return dict(found)


async def everything(ctx: Any, round: str) -> str:
    """All that a coordinator is told by the explaining operations."""
    answers: list[Any] = [await explain(ctx, round), await api.show_objectives(ctx, PROGRAM, round)]
    answers += [await explain_person(ctx, round, who) for who in (*MENTORS, *EXECUTIVES)]
    answers += [await explain(ctx, round, m, e) for m in MENTORS for e in EXECUTIVES]
    answers.append(await api.show_feasibility(ctx, PROGRAM, "cohort", None, 200))
    return json.dumps(answers)


@pytest.mark.guarantee("people")
@pytest.mark.parametrize(
    "other",
    [
        {ADA: {"line": [OMAR]}},
        {OMAR: {"line": [ADA]}},
        {ADA: {"languages": ["fr"]}},
        {ADA: {"level": 4}},
        {OMAR: {"windows": []}},
        {ADA: {"line_complete": False}},
    ],
    ids=["mentor's line", "executive's line", "language", "level", "window", "incomplete line"],
)
@pytest.mark.parametrize("excluded", [{ADA: OMAR}, {OMAR: ADA}], ids=["by the mentor", "by the executive"])
async def test_where_another_rule_keeps_two_apart_an_exclusion_changes_no_byte(
    other: Many, excluded: dict[str, str], request: pytest.FixtureRequest
) -> None:
    told = []
    for who in ({}, excluded):
        ctx = program(other, who)
        told.append(await everything(ctx, await opened(ctx, f"{request.node.name} {who}")))
    assert told[0] == told[1]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("other", [{ADA: {"line": [OMAR]}}, {OMAR: {"line": [ADA]}}], ids=["mentor's", "executive's"])
async def test_where_a_line_keeps_two_apart_a_rounds_digests_are_those_without_the_exclusion(other: Many) -> None:
    frozen: list[Cohort] = [await freeze(program(other, who), PROGRAM) for who in ({}, {ADA: OMAR})]  # type: ignore[arg-type]
    assert frozen[0].digest() == frozen[1].digest()
    assert place(frozen[0]).certificate == place(frozen[1]).certificate


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("who", [ADA, OMAR], ids=["by the mentor", "by the executive"])
async def test_an_exclusion_reads_like_a_reporting_line(who: str, request: pytest.FixtureRequest) -> None:
    """They do not want each other, were a pair in another program, or one is above the other: what is asked of the two
    is answered alike."""
    whom = OMAR if who == ADA else ADA
    worlds = (program({ADA: {"line": [OMAR]}}), program(excluded={who: whom}), program(met=(ADA, OMAR)))
    told = [await everything(ctx, await opened(ctx, f"{request.node.name} {n}")) for n, ctx in enumerate(worlds)]
    assert told[0] == told[1] == told[2]
    assert '"rule": "apart"' in told[1]
    frozen: list[Cohort] = [await freeze(world, PROGRAM) for world in worlds]  # type: ignore[arg-type]
    assert frozen[1].digest() == frozen[2].digest()


@pytest.mark.guarantee("G9")
@pytest.mark.parametrize("other", [{ADA: {"line": [OMAR]}}, {ADA: {"level": 4}}], ids=["a line", "another rule"])
async def test_where_a_rule_keeps_two_apart_it_changes_no_byte_that_they_met_elsewhere(
    other: Many, request: pytest.FixtureRequest
) -> None:
    worlds = [program(other), program(other, met=(ADA, OMAR))]
    told = [await everything(ctx, await opened(ctx, f"{request.node.name} {n}")) for n, ctx in enumerate(worlds)]
    assert told[0] == told[1]


async def test_a_pair_and_a_person_are_explained_and_everybody_page_by_page() -> None:
    ctx = program({ADA: {"languages": ["fr"]}, BEN: {"offers": ["law"]}})
    round = await opened(ctx, "pages")
    assert (await explain(ctx, round, ADA, OMAR))["rule"] == "language"
    assert (await explain_person(ctx, round, ADA))["reason"] == "language"
    seen: list[str] = []
    after = None
    while True:
        page = await api.explain_round(ctx, PROGRAM, round, None, None, None, after, 3)  # type: ignore[arg-type]
        seen += [item["person"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted([*MENTORS, *EXECUTIVES])


async def test_who_was_not_in_the_round_is_not_explained() -> None:
    ctx = program()
    round = await opened(ctx, "strangers")
    with pytest.raises(Problem) as refused:
        await explain(ctx, round, OMAR, ADA)
    assert (refused.value.status, refused.value.code) == (404, "not-in-round")
    with pytest.raises(Problem) as refused:
        await explain_person(ctx, round, an_id("pe", "nobody"))
    assert (refused.value.status, refused.value.code) == (404, "not-in-round")
    with pytest.raises(Problem) as refused:
        await explain(ctx, round, ADA)
    assert refused.value.status == 422


async def test_a_round_without_a_result_explains_nothing_yet() -> None:
    ctx = program()
    round = await opened(ctx, "early")
    stream = ROUNDS.stream(PROGRAM, round)
    ctx.streams[stream] = ctx.streams[stream][:1]
    with pytest.raises(Refused) as refused:
        await explain(ctx, round)
    assert refused.value.code == "not-solved"


async def test_once_somebody_was_erased_pairs_are_explained_without_a_price() -> None:
    ctx = program()
    round = await opened(ctx, "erased")
    [partner] = (await explain_person(ctx, round, ADA))["partners"]
    other = next(e for e in EXECUTIVES if e != partner["person"])
    assert (await explain(ctx, round, ADA, other))["price"]["people"] == 0
    kept = ctx.documents.kept[INPUT, round]
    ctx.documents.kept[INPUT, round] = {**kept, "mentors": [m for m in kept["mentors"] if m["person"] != BEN]}
    await ctx.documents.save(CUT, PROGRAM, round, {"people": 1})
    why = await explain(ctx, round, ADA, other)
    assert (why["answer"], why["price"]) == ("possible", None)
    assert BEN not in json.dumps(await explain(ctx, round))
    with pytest.raises(Refused) as refused:
        await api.show_objectives(ctx, PROGRAM, round)  # type: ignore[arg-type]
    assert refused.value.code == "not-reproducible"


async def card(ask: Callable[..., Awaitable[dict[str, Any]]], ctx: Any, person: str, id: str) -> dict[str, Any]:
    ctx.caller = SimpleNamespace(person=person, roles=frozenset())
    return await ask(ctx, PROGRAM, id)


async def test_the_two_of_a_pair_read_what_they_have_in_common_and_nothing_of_anybody_else() -> None:
    ctx = program({ADA: {"offers": ["data", "law"], "line": [BEN]}, OMAR: {"seeks": ["data", "tax"], "line": [PIA]}})
    ctx.streams[f"{PROGRAM}/pair/{PAIR}"] = [people.formed]
    told = [await card(api.why_pair, ctx, who, PAIR) for who in (ADA, OMAR)]
    assert told[0] == told[1]
    assert told[0]["terms"][0] == {"term": "seeks", "points": 2000, "most": 4000, "rests_on": {"themes": ["data"]}}
    text = json.dumps(told)
    assert not any(word in text for word in ("law", "tax", "Berlin", ADA, OMAR, BEN, PIA))
    with pytest.raises(Problem) as refused:
        await card(api.why_pair, ctx, BEN, PAIR)
    assert refused.value.status == 403


@pytest.mark.parametrize("cause", [ReleaseCause.ended, ReleaseCause.completed])
async def test_a_pair_that_is_over_has_no_card_however_it_ended(cause: ReleaseCause) -> None:
    ctx = program()
    ctx.streams[f"{PROGRAM}/pair/{PAIR}"] = [people.formed, PairReleased(program=PROGRAM, pair=PAIR, cause=cause)]
    with pytest.raises(Problem) as refused:
        await card(api.why_pair, ctx, OMAR, PAIR)
    assert (refused.value.status, refused.value.code) == (404, "pair-over")


async def test_whose_answer_is_awaited_reads_the_card_and_the_other_does_not() -> None:
    ctx = program()
    ctx.streams[f"{PROGRAM}/proposal/{people.PROPOSAL}"] = [people.proposed, people.mentor_asked]
    assert (await card(api.why_proposal, ctx, ADA, people.PROPOSAL))["score"] > 0
    with pytest.raises(Problem) as refused:
        await card(api.why_proposal, ctx, OMAR, people.PROPOSAL)
    assert refused.value.status == 403
