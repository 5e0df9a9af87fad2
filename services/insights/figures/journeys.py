"""Figures about what pairs do: sessions, learning in both directions, and what came of their ideas."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from contracts.insights import Period
from contracts.types import Actor, Side
from services.insights import rows
from services.insights.collected import Collected, by_the_end, of_pairs, within
from services.insights.tables import Cell, CellId, Sum, Table

JOURNEYS = {"completed": "Completed their journey", "ended": "Ended before"}


def journeys(all: Collected, period: Period) -> Table:
    """How journeys came to an end; by whom is in no fact."""
    pairs = all.pair_of()
    completed = [pairs[j.pair] for j in all.journeys if within(j.completed, period) and j.pair in pairs]
    ended = [p for p in all.pairs if within(p.released, period) and not p.completed]
    collected = by_the_end((p.formed for p in all.pairs), period)
    cells = {
        ("completed", "all"): of_pairs(completed, collected=collected),
        ("ended", "all"): of_pairs(ended, collected=collected),
    }
    return Table("journeys", "Pairs whose journey is over", JOURNEYS, ("all",), cells)


SESSIONS = {
    "planned": "Planned by journeys that began",
    "booked": "Booked",
    "held": "Held",
    "moved": "Moved, by",
    "cancelled": "Cancelled, by",
}
ACTORS = (Actor.mentor, Actor.executive, Actor.program)


def sessions(all: Collected, period: Period) -> Table:
    """Sessions by what was done with them in the period. Moving one twice counts twice.

    Those proposed are not told: they would leave the cancelled ones, which may be few, no room.
    """
    pairs = all.pair_of()
    known = [(s, pairs[s.pair]) for s in all.sessions if s.pair in pairs]
    begun = [(j.sessions, pairs[j.pair]) for j in all.journeys if within(j.opened, period) and j.pair in pairs]
    collected = by_the_end((j.opened for j in all.journeys), period)
    cells: dict[tuple[str, str], Cell] = {
        ("planned", "all"): of_pairs([p for _, p in begun], value=sum(n for n, _ in begun), collected=collected)
    }
    for row in ("booked", "held"):
        within_it = [pair for s, pair in known if within(getattr(s, row), period)]
        cells[row, "all"] = of_pairs(within_it, collected=collected)
    done = {
        "moved": [(move, pair) for s, pair in known for move in s.moved],
        "cancelled": [(s.cancelled, pair) for s, pair in known if s.cancelled],
    }
    for row, acts in done.items():
        acts = [(act, pair) for act, pair in acts if within(act.on, period) and act.by in ACTORS]
        cells[row, "all"] = of_pairs([pair for _, pair in acts], collected=collected)
        for actor in ACTORS:
            cells[row, actor.value] = _by(actor, [pair for act, pair in acts if act.by is actor], collected)
    sums = [Sum(_session(row, "all"), tuple(_session(row, a.value) for a in ACTORS)) for row in done]
    return Table("sessions", "Sessions", SESSIONS, (*ACTORS, "all"), cells, tuple(sums))


def _session(row: str, column: str) -> CellId:
    return CellId("sessions", row, column)


def _by(actor: Actor, pairs: list[rows.Pair], collected: bool) -> Cell:
    match actor:
        case Actor.mentor:
            return Cell(len(pairs), len({p.mentor for p in pairs}), collected)
        case Actor.executive:
            return Cell(len(pairs), len({p.executive for p in pairs}), collected)
    return of_pairs(pairs, collected=collected)


LEARNING = {
    "both": "Both noted what they learned",
    "one": "One side did",
    "none": "Neither did",
    "all": "Sessions held",
}


def learning(all: Collected, period: Period) -> Table:
    """How many of the sessions held in the period each of the two, one or neither had learned from by its end."""
    pairs = all.pair_of()
    noted = {each.session: each for each in all.learnings}
    groups: dict[str, list[rows.Pair]] = {row: [] for row in LEARNING}
    for s in all.sessions:
        if within(s.held, period) and s.pair in pairs:
            notes = noted.get(s.session, rows.Learning())
            sides = sum(by_the_end([day], period) for day in (notes.mentor, notes.executive))
            for row in (("none", "one", "both")[sides], "all"):
                groups[row].append(pairs[s.pair])
    collected = bool(groups["all"])
    cells = {(row, "all"): of_pairs(group, collected=collected) for row, group in groups.items()}
    held, *parts = (CellId("learning", row, "all") for row in ("all", "both", "one", "none"))
    sums = (Sum(held, tuple(parts)), Sum(held, (_session("held", "all"),)))
    return Table("learning", "Learning in both directions", LEARNING, ("all",), cells, sums)


FOLLOW_THROUGH = {
    "raised": "Ideas raised",
    "committed": "Became an action",
    "started": "Started",
    "evidenced": "Shown to be done",
    "confirmed": "Confirmed by the mentor",
    "unconfirmed": "Closed without confirmation",
    "dropped": "Given up",
}
_BEFORE = {
    "committed": "raised",
    "started": "committed",
    "evidenced": "committed",
    "confirmed": "evidenced",
    "unconfirmed": "evidenced",
    "dropped": "committed",
}
_QUIET_ENDS = ("unconfirmed", "dropped")


def follow_through(all: Collected, period: Period) -> Table:
    """From ideas to confirmed actions: each step in the period, by the side that raised the idea or owns the action.

    There are no sums over sides. Actions that came to nothing are told without a side, and not even that there are
    none: the steps before them would tell how few they are.
    """
    pairs = all.pair_of()
    steps: dict[str, list[tuple[date | None, Side, str]]] = {"raised": [(i.raised, i.by, i.pair) for i in all.ideas]}
    for row in _BEFORE:
        steps[row] = [(getattr(a, row), a.owner, a.pair) for a in all.actions]
    cells: dict[tuple[str, str], Cell] = {}
    for row, taken in steps.items():
        collected = by_the_end((day for day, _, _ in steps[_BEFORE.get(row, "raised")]), period)
        done = [(side, pairs[pair]) for day, side, pair in taken if within(day, period) and pair in pairs]
        if row in _QUIET_ENDS:
            cells[row, "all"] = replace(of_pairs([p for _, p in done], collected=collected), discreet=True)
            continue
        for side in (Side.mentor, Side.executive):
            owners = [p.mentor if side is Side.mentor else p.executive for s, p in done if s is side]
            cells[row, side.value] = Cell(len(owners), len(set(owners)), collected)
    columns = (Side.mentor.value, Side.executive.value, "all")
    return Table("follow_through", "From ideas to change", FOLLOW_THROUGH, columns, cells)
