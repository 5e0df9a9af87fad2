"""Programs to compute figures of: any at all, and one that has been lived through."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from contracts.enrollment import Answer, Hesitation
from contracts.insights import Period, PulseGiven, PulseKind
from contracts.types import Actor, Side
from services.insights import rows
from services.insights.collected import Collected
from services.insights.insight import Insight

FIRST = date(2027, 1, 4)
"""A Monday."""
PERIOD = Period(first=FIRST, last=FIRST + timedelta(days=83))
SIDES = (Side.mentor, Side.executive)


def pulse(n: int, kind: PulseKind, side: Side, value: int, week: date = FIRST) -> PulseGiven:
    return PulseGiven(
        program="pr_" + "a" * 26, pulse=f"pu_{n:026d}".replace("0", "a").replace("1", "b").replace("8", "c")
        .replace("9", "d"), kind=kind, side=side, value=value, week=week,
    )  # fmt: skip


def anybody(random: Random) -> Collected:
    """A program of any size in any state, before, within and after the period."""
    mentors = [f"m{n}" for n in range(random.choice([2, 7, 14, 30]))]
    executives = [f"e{n}" for n in range(random.choice([1, 4, 8, 16]))]
    pairs = [
        rows.Pair(pair=f"p{n}", mentor=m, executive=random.choice(executives), formed=day(random))
        for n, m in enumerate(mentors)
        if random.random() < 0.8
    ]
    sessions = [session(random, n, random.choice(pairs).pair) for n in range(random.choice([0, 5, 40])) if pairs]
    some = [p.pair for p in pairs] or ["p0"]
    return Collected(
        invitations=[
            invitation(random, person, side)
            for side, people in zip(SIDES, (mentors, executives), strict=True)
            for person in people
        ],
        participations=[
            *(rows.Participation(person=m, mentor=maybe(random), charter=maybe(random)) for m in mentors),
            *(rows.Participation(person=e, executive=maybe(random), charter=maybe(random)) for e in executives),
        ],
        rounds=[
            rows.Round(
                mentors=len(mentors),
                executives=len(executives),
                unplaced_mentors=random.randint(0, len(mentors)),
                unplaced_executives=random.randint(0, len(executives)),
                published=maybe(random),
            )
            for _ in range(random.randint(0, 2))
        ],
        proposals=[
            rows.Proposal(mentor=p.mentor, executive=p.executive, made=day(random), asked=maybe(random)) for p in pairs
        ],
        pairs=pairs,
        journeys=[rows.Journey(pair=p.pair, sessions=6, opened=day(random), completed=maybe(random)) for p in pairs],
        sessions=sessions,
        learnings=[
            rows.Learning(session=s.session, mentor=maybe(random), executive=maybe(random)) for s in sessions if s.held
        ],
        ideas=[
            rows.Idea(pair=random.choice(some), by=random.choice(SIDES), raised=day(random))
            for _ in range(random.choice([0, 3, 30]))
        ],
        actions=[
            rows.Action(
                pair=random.choice(some),
                owner=random.choice(SIDES),
                committed=day(random),
                started=maybe(random),
                evidenced=maybe(random),
                confirmed=maybe(random),
                dropped=maybe(random),
            )
            for _ in range(random.choice([0, 3, 30]))
        ],
        pulses=[
            pulse(n, random.choice(list(PulseKind)[:-1]), random.choice(SIDES), random.randint(1, 5), monday(random))
            for n in range(random.choice([0, 6, 60]))
        ],
        voices=[
            Insight(theme=random.choice(["tools", "pay", "career"]), weeks=(monday(random),))
            for _ in range(random.choice([0, 5, 40]))
        ],
    )


def day(random: Random) -> date:
    return FIRST + timedelta(days=random.randint(-20, 100))


def monday(random: Random) -> date:
    return FIRST + timedelta(days=7 * random.randint(-2, 13))


def maybe(random: Random) -> date | None:
    return day(random) if random.random() < 0.7 else None


def invitation(random: Random, person: str, side: Side) -> rows.Invitation:
    said = sorted(day(random) for _ in range(random.randint(0, 2)))
    reasons = [None, *list(Hesitation)[:-1]]
    answers = tuple(
        rows.Answered(on=on, answer=random.choice(list(Answer)[:-1]), hesitation=random.choice(reasons)) for on in said
    )
    return rows.Invitation(person=person, side=side, invited=day(random), answers=answers)


def session(random: Random, n: int, pair: str) -> rows.Session:
    actors = list(Actor)[:-1]
    return rows.Session(
        session=f"s{n}",
        pair=pair,
        booked=maybe(random),
        moved=tuple(rows.Done(on=day(random), by=random.choice(actors)) for _ in range(random.randint(0, 2))),
        cancelled=rows.Done(on=day(random), by=random.choice(actors)) if random.random() < 0.3 else None,
        held=maybe(random),
    )


def lived(random: Random) -> Collected:
    """A program whose every step follows another, all within the period, one pair a person.

    So every relation between figures that a reader might guess at really holds.
    """
    people = {
        Side.mentor: [f"m{n}" for n in range(random.choice([6, 9, 20]))],
        Side.executive: [f"e{n}" for n in range(random.choice([5, 7, 14]))],
    }
    often = random.choice([0.3, 0.7, 0.95])
    some = {side: [p for p in who if random.random() < often] for side, who in people.items()}
    reasons = random.sample([None, *list(Hesitation)[:-1]], random.randint(1, 4))
    placed = list(zip(some[Side.mentor], some[Side.executive], strict=False))
    agreed = [pair for pair in placed if random.random() < often]
    pairs = [rows.Pair(pair=m, mentor=m, executive=e, formed=FIRST) for m, e in agreed]
    for n, pair in enumerate(pairs):
        if random.random() > often:
            pairs[n] = pair.model_copy(update={"released": FIRST, "completed": random.random() < 0.5})
    sessions = [
        rows.Session(
            session=f"{pair.pair}/{n}",
            pair=pair.pair,
            booked=FIRST,
            moved=tuple(rows.Done(on=FIRST, by=random.choice(list(Actor)[:-1])) for _ in range(random.randint(0, 1))),
            cancelled=None if held else rows.Done(on=FIRST, by=random.choice(list(Actor)[:-1])),
            held=FIRST if held else None,
        )
        for pair in pairs
        for n in range(random.randint(0, 3))
        for held in [random.random() < often]
    ]
    met = sorted({s.pair for s in sessions if s.held})
    ideas = [rows.Idea(pair=pair, by=random.choice(SIDES), raised=FIRST) for pair in met if random.random() < often]
    return Collected(
        invitations=[
            _lived_invitation(random, p, side, p in some[side], reasons) for side in SIDES for p in people[side]
        ],
        participations=[
            *(rows.Participation(person=p, mentor=FIRST, charter=FIRST) for p in some[Side.mentor]),
            *(rows.Participation(person=p, executive=FIRST, charter=FIRST) for p in some[Side.executive]),
        ],
        rounds=[
            rows.Round(
                mentors=len(some[Side.mentor]),
                executives=len(some[Side.executive]),
                unplaced_mentors=len(some[Side.mentor]) - len(placed),
                unplaced_executives=len(some[Side.executive]) - len(placed),
                published=FIRST,
            )
        ],
        proposals=[
            rows.Proposal(
                mentor=m,
                executive=e,
                made=FIRST,
                approved=FIRST,
                asked=FIRST,
                agreed=FIRST if (m, e) in agreed else None,
                closed=None if (m, e) in agreed else FIRST,
            )
            for m, e in placed
        ],
        pairs=pairs,
        journeys=[
            rows.Journey(pair=p.pair, sessions=6, opened=FIRST, completed=FIRST if p.completed else None) for p in pairs
        ],
        sessions=sessions,
        learnings=[
            rows.Learning(session=s.session, mentor=FIRST, executive=random.choice([FIRST, None]))
            for s in sessions
            if s.held and random.random() < often
        ],
        ideas=ideas,
        actions=[_lived_action(random, idea.pair, often) for idea in ideas if random.random() < often],
    )


def _lived_invitation(
    random: Random, person: str, side: Side, enrols: bool, reasons: list[Hesitation | None]
) -> rows.Invitation:
    answer = Answer.accepted if enrols else random.choice([Answer.hesitant, Answer.declined])
    why = None if enrols else random.choice(reasons)
    said = (rows.Answered(on=FIRST, answer=answer, hesitation=why),) if enrols or random.random() < 0.8 else ()
    return rows.Invitation(person=person, side=side, invited=FIRST, answers=said)


def _lived_action(random: Random, pair: str, often: float) -> rows.Action:
    steps: dict[str, date] = {"committed": FIRST}
    if random.random() < often:
        steps["evidenced"] = FIRST
        steps[random.choice(["confirmed", "confirmed", "unconfirmed"])] = FIRST
    elif random.random() < 0.5:
        steps["dropped"] = FIRST
    return rows.Action(pair=pair, owner=random.choice(SIDES), **steps)
