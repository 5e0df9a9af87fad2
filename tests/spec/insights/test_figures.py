"""Each table counts what happened within the period, once, and the people behind it."""

from __future__ import annotations

from builtins import all as all_of
from datetime import date, timedelta

from contracts.enrollment import Answer, Hesitation
from contracts.insights import Band, Period, PulseKind
from contracts.types import Actor, Side
from services.insights import rows
from services.insights.collected import Collected
from services.insights.figures.journeys import follow_through, journeys, learning, sessions
from services.insights.figures.people import coverage, funnel, hesitations, proposals
from services.insights.figures.voices import pulses, theme_bands, themes
from services.insights.insight import Insight
from services.insights.tables import Cell, Table
from tests.spec.insights.programs import FIRST, PERIOD, pulse

BEFORE, DAY, LATER = FIRST - timedelta(days=1), FIRST + timedelta(days=3), PERIOD.last + timedelta(days=1)
NEXT = Period(first=LATER, last=LATER + timedelta(days=83))
ADA = rows.Pair(pair="pa1", mentor="ada", executive="omar", formed=DAY)
BEA = rows.Pair(pair="pa2", mentor="bea", executive="omar", formed=DAY)


def values(table: Table, column: str) -> dict[str, int]:
    return {row: cell.value for (row, c), cell in table.cells.items() if c == column}


def invited(person: str, *said: tuple[date, Answer, Hesitation | None], side: Side = Side.mentor) -> rows.Invitation:
    answers = tuple(rows.Answered(on=on, answer=answer, hesitation=why) for on, answer, why in said)
    return rows.Invitation(person=person, side=side, invited=DAY, answers=answers)


def test_the_funnel_counts_each_persons_first_step_on_each_side() -> None:
    all = Collected(
        invitations=[invited("ada", (DAY, Answer.hesitant, None), (DAY, Answer.accepted, None)), invited("cy")],
        participations=[
            rows.Participation(person="ada", mentor=DAY, charter=DAY),
            rows.Participation(person="omar", executive=DAY, charter=LATER),
        ],
        pairs=[ADA, BEA],
        sessions=[rows.Session(session=s, pair="pa1", held=DAY) for s in ("s1", "s2")],
        actions=[rows.Action(pair="pa1", confirmed=DAY)],
    )
    found = funnel(all, PERIOD)
    assert values(found, "mentor") == {
        "invited": 2,
        "answered": 1,
        "enrolled": 1,
        "charter": 1,
        "paired": 2,
        "first_session": 1,
        "first_change": 1,
    }
    assert values(found, "executive")["paired"] == 1, "one executive with two mentors is one person"
    assert values(found, "executive")["charter"] == 0
    assert values(funnel(all, NEXT), "executive")["charter"] == 1
    assert values(funnel(all, NEXT), "mentor")["invited"] == 0, "nobody is counted in two periods"


def test_a_step_has_no_data_before_anybody_took_the_one_before() -> None:
    found = funnel(Collected(invitations=[invited("ada")]), PERIOD)
    assert found.cells["answered", "mentor"] == Cell(0, 0)
    assert found.cells["enrolled", "mentor"].collected is False
    assert found.cells["answered", "executive"].collected is False


def test_a_hesitation_counts_by_the_last_answer_within_the_period() -> None:
    all = Collected(
        invitations=[
            invited("ada", (DAY, Answer.hesitant, Hesitation.time), (LATER, Answer.accepted, None)),
            invited("bea", (DAY, Answer.hesitant, Hesitation.time), (DAY, Answer.accepted, None)),
            invited("omar", (DAY, Answer.declined, None), side=Side.executive),
            invited("cy", (LATER, Answer.hesitant, Hesitation.other)),
        ]
    )
    found = hesitations(all, PERIOD)
    assert {key: cell.value for key, cell in found.cells.items() if cell.value} == {
        ("time", "mentor"): 1,
        ("none", "executive"): 1,
    }


def test_a_reason_that_all_gave_is_hidden_however_many_they_are() -> None:
    because = [Hesitation.time] * 8
    all = Collected(invitations=[invited(f"m{n}", (DAY, Answer.declined, why)) for n, why in enumerate(because)])
    assert all_hidden(all)
    more = Collected(invitations=[*all.invitations, invited("cy", (DAY, Answer.declined, Hesitation.other))])
    assert not hesitations(more, PERIOD).cells["time", "mentor"].below(5)
    assert hesitations(more, PERIOD).cells["exposure", "mentor"].below(5), "not even that nobody said so"


def all_hidden(all: Collected) -> bool:
    found = hesitations(all, PERIOD)
    return all_of(found.cells[row, "mentor"].below(5) for row in found.rows)


def test_coverage_counts_rounds_that_were_let_out() -> None:
    out = rows.Round(mentors=40, executives=12, unplaced_mentors=28, published=DAY)
    all = Collected(rounds=[out, out, rows.Round(mentors=9, executives=9)])
    found = coverage(all, PERIOD)
    assert values(found, "mentor") == {"considered": 80, "placed": 24}
    assert values(found, "executive") == {"considered": 24, "placed": 24}
    assert found.cells["placed", "mentor"].people == 12, "two rounds may have placed the same people"


def test_proposals_that_came_to_nothing_were_not_agreed() -> None:
    made = rows.Proposal(mentor="ada", executive="omar", made=DAY, approved=DAY, asked=DAY, agreed=DAY)
    all = Collected(proposals=[made, made.model_copy(update={"mentor": "bea", "closed": DAY})])
    assert values(proposals(all, PERIOD), "all") == {"made": 2, "approved": 2, "asked": 2, "agreed": 1}
    assert proposals(all, PERIOD).cells["made", "all"].people == 1


def test_sessions_are_counted_by_what_was_done_with_them_and_by_whom() -> None:
    all = Collected(
        pairs=[ADA, BEA],
        journeys=[rows.Journey(pair="pa1", sessions=6, opened=DAY), rows.Journey(pair="pa2", sessions=6, opened=DAY)],
        sessions=[
            rows.Session(
                session="s1",
                pair="pa1",
                booked=DAY,
                moved=(rows.Done(on=DAY, by=Actor.executive), rows.Done(on=DAY, by=Actor.executive)),
                held=DAY,
            ),
            rows.Session(session="s2", pair="pa2", cancelled=rows.Done(on=DAY, by=Actor.mentor)),
        ],
    )
    found = sessions(all, PERIOD)
    assert values(found, "all") == {
        "planned": 12,
        "booked": 1,
        "held": 1,
        "moved": 2,
        "cancelled": 1,
    }
    assert found.cells["moved", "executive"] == Cell(2, 1)
    assert found.cells["planned", "all"].people == 1, "the side with fewer people is the one to protect"
    assert values(found, "mentor") == {"moved": 0, "cancelled": 1}


def test_learning_is_counted_over_the_sessions_held() -> None:
    all = Collected(
        pairs=[ADA],
        sessions=[rows.Session(session=s, pair="pa1", held=DAY) for s in ("s1", "s2", "s3")]
        + [rows.Session(session="s4", pair="pa1", held=LATER)],
        learnings=[
            rows.Learning(session="s1", mentor=DAY, executive=DAY),
            rows.Learning(session="s2", mentor=DAY, executive=LATER),
        ],
    )
    assert values(learning(all, PERIOD), "all") == {"both": 1, "one": 1, "none": 1, "all": 3}
    assert not learning(Collected(), PERIOD).cells["all", "all"].collected


def test_ideas_become_actions_on_the_side_that_owns_them() -> None:
    all = Collected(
        pairs=[ADA, BEA],
        ideas=[rows.Idea(pair="pa1", by=Side.mentor, raised=DAY), rows.Idea(pair="pa2", by=Side.mentor, raised=DAY)],
        actions=[
            rows.Action(pair=p, owner=Side.executive, committed=DAY, started=DAY, evidenced=DAY, confirmed=day)
            for p, day in (("pa1", DAY), ("pa2", LATER))
        ],
    )
    found = follow_through(all, PERIOD)
    assert found.cells["raised", "mentor"] == Cell(2, 2)
    assert found.cells["committed", "executive"] == Cell(2, 1), "one executive promised both"
    assert values(found, "executive")["confirmed"] == 1
    assert values(found, "all") == {"unconfirmed": 0, "dropped": 0}, "what came to nothing has no side"
    assert found.cells["dropped", "all"].below(5), "and not even that there is none is told"


def test_what_both_sides_do_at_once_is_hidden_on_both() -> None:
    pairs = [rows.Pair(pair=f"pa{n}", mentor=f"m{n}", executive=f"e{n % 2}", formed=DAY) for n in range(6)]
    found = funnel(Collected(pairs=pairs), PERIOD)
    assert found.cells["paired", "mentor"] == Cell(6, 2, collected=False)


def test_a_journey_that_was_completed_did_not_end_before() -> None:
    over = [ADA.model_copy(update={"released": DAY, "completed": True}), BEA.model_copy(update={"released": DAY})]
    all = Collected(pairs=over, journeys=[rows.Journey(pair="pa1", completed=DAY)])
    assert values(journeys(all, PERIOD), "all") == {"completed": 1, "ended": 1}


def test_a_pulse_has_a_number_and_a_mean_to_one_decimal() -> None:
    given = [pulse(n, PulseKind.respect, Side.mentor, value) for n, value in enumerate([5, 4, 4, 3, 3, 4])]
    found = pulses(Collected(pulses=given), PERIOD)
    assert found.cells["respect", "mentor_answers"] == Cell(6, 6)
    assert found.cells["respect", "mentor_mean"] == Cell(38, 6, tenths=True)
    assert not found.cells["respect", "executive_mean"].collected


def test_an_answer_that_all_gave_is_hidden_however_many_they_are() -> None:
    given = [pulse(n, PulseKind.respect, Side.mentor, 1) for n in range(30)]
    found = pulses(Collected(pulses=given), PERIOD)
    assert found.cells["respect", "mentor_mean"].people == 0
    assert found.cells["respect", "mentor_answers"].people == 0


def test_answers_of_three_months_may_come_from_the_people_of_one() -> None:
    months = [FIRST, FIRST + timedelta(days=28), FIRST + timedelta(days=56)]
    given = [pulse(n, PulseKind.respect, Side.mentor, 1 + n % 5, months[n % 3]) for n in range(9)]
    assert pulses(Collected(pulses=given), PERIOD).cells["respect", "mentor_answers"] == Cell(9, 3)


def test_an_answer_belongs_to_the_period_in_which_its_week_begins() -> None:
    sunday = Period(first=FIRST - timedelta(days=7), last=FIRST - timedelta(days=1))
    given = [pulse(n, PulseKind.after, Side.mentor, n) for n in range(1, 6)]
    assert not pulses(Collected(pulses=given), sunday).cells["after", "mentor_mean"].collected
    assert pulses(Collected(pulses=given), PERIOD).cells["after", "mentor_mean"].value == 30


def voices(theme: str, people: int) -> list[Insight]:
    return [Insight(theme=theme, weeks=(FIRST, FIRST)) for _ in range(people)]


def test_a_theme_is_said_when_enough_people_raised_it_and_only_as_a_band() -> None:
    all = Collected(voices=[*voices("tools", 10), *voices("pay", 9), *voices("career", 31)])
    assert theme_bands(all, PERIOD, 10) == {"tools": Band.from_10, "career": Band.from_20}
    shown = themes(all, PERIOD, 10, {"tools": "Tools", "pay": "Pay", "silence": "Silence"})
    assert {r.key: (r.label, r.cells[0].shown) for r in shown.rows} == {
        "career": ("career", "20+"),
        "pay": ("Pay", "hidden: fewer than 10"),
        "silence": ("Silence", "hidden: fewer than 10"),
        "tools": ("Tools", "10-19"),
    }
    assert all.voices[0].weeks == (FIRST, FIRST), "who says it twice counts once"


def test_a_voice_of_another_period_is_not_heard_in_this_one() -> None:
    all = Collected(voices=[Insight(theme="tools", weeks=(FIRST - timedelta(days=7),)) for _ in range(12)])
    assert theme_bands(all, PERIOD, 10) == {}
