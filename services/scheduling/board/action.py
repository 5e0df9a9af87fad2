"""An action: promised by one side, started, shown, and confirmed by the mentor; or closed without any blame."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import singledispatch
from typing import Any, Literal

from chassis.deciding.decider import Aggregate, Command, Refused, State, Unhandled
from contracts.fact import Fact
from contracts.scheduling import ACTION as CATEGORY
from contracts.scheduling import (
    ActionClosedUnconfirmed,
    ActionCommitted,
    ActionConfirmed,
    ActionDropped,
    ActionEvidenced,
    ActionStarted,
    DropCause,
    Evidence,
    UnconfirmedCause,
)
from contracts.types import ActionId, ContentId, IdeaId, Instant, PairId, ProgramId, Side

FURTHEST = timedelta(days=2 * 366)
"""How far ahead an action may be due."""
OPEN = ("committed", "started", "evidenced")
"""The states in which an action is still somebody's turn."""


class CommitAction(Command):
    """Promise to do something by a day. `released` is when the pair's end was heard of, where it is over."""

    program: ProgramId
    action: ActionId
    pair: PairId
    idea: IdeaId
    owner: Side
    due: date
    content: ContentId
    released: Instant | None = None


class StartAction(Command):
    """The owner has begun."""


class EvidenceAction(Command):
    """The owner shows what was done."""

    kind: Evidence
    content: ContentId | None = None


class ConfirmAction(Command):
    """The mentor confirms that it happened."""


class LapseConfirmation(Command):
    """The days to confirm are over."""


class EndWithPair(Command):
    """The pair is over: close the action, whatever its state."""


class Action(State):
    """One action as far as it has come."""

    state: Literal["none", "committed", "started", "evidenced", "confirmed", "unconfirmed", "dropped"] = "none"
    program: str = ""
    action: str = ""
    pair: str = ""
    owner: Side = Side.executive


@singledispatch
def decide(command: Command, action: Action, now: datetime) -> list[Fact]:
    """The facts that a command makes of an action; raises `Refused` where a rule says no."""
    raise Unhandled(type(command).__name__)


@decide.register
def _(command: CommitAction, action: Action, now: datetime) -> list[Fact]:
    if action.state != "none":
        return []
    if command.released is not None:
        raise Refused("pair-over", "The pair is over; its board is closed.")
    if command.due < now.date() - timedelta(days=1):  # somewhere it is still yesterday
        raise Refused("due-past", "The day an action is due must not have passed.", pointer="/due")
    if command.due > now.date() + FURTHEST:
        raise Refused("too-far", "An action is due within two years.", pointer="/due")
    return [ActionCommitted(**command.model_dump(exclude={"released"}))]


@decide.register
def _(command: StartAction, action: Action, now: datetime) -> list[Fact]:
    _open(action)
    return [ActionStarted(**_ids(action))] if action.state == "committed" else []


@decide.register
def _(command: EvidenceAction, action: Action, now: datetime) -> list[Fact]:
    _open(action)
    if action.state == "evidenced":
        raise Refused("already-evidenced", "The evidence is there; it waits for the mentor.")
    begun: list[Fact] = [ActionStarted(**_ids(action))] if action.state == "committed" else []
    return [*begun, ActionEvidenced(**_ids(action), kind=command.kind, content=command.content)]


@decide.register
def _(command: ConfirmAction, action: Action, now: datetime) -> list[Fact]:
    if action.state == "confirmed":
        return []
    _open(action)
    if action.state != "evidenced":
        raise Refused("no-evidence", "There is nothing to confirm yet; the owner shows first what was done.")
    return [ActionConfirmed(**_ids(action))]


@decide.register
def _(command: LapseConfirmation, action: Action, now: datetime) -> list[Fact]:
    if action.state != "evidenced":
        return []
    return [ActionClosedUnconfirmed(**_ids(action), cause=UnconfirmedCause.no_answer)]


@decide.register
def _(command: EndWithPair, action: Action, now: datetime) -> list[Fact]:
    if action.state == "evidenced":
        return [ActionClosedUnconfirmed(**_ids(action), cause=UnconfirmedCause.pair_ended)]
    if action.state in OPEN:
        return [ActionDropped(**_ids(action), cause=DropCause.pair_ended)]
    return []


def evolve(action: Action, fact: Fact) -> Action:
    """The action after one more fact."""
    match fact:
        case ActionCommitted():
            return Action(state="committed", **fact.model_dump(include={"program", "action", "pair", "owner"}))
        case ActionStarted():
            return action.model_copy(update={"state": "started"})
        case ActionEvidenced():
            return action.model_copy(update={"state": "evidenced"})
        case ActionConfirmed():
            return action.model_copy(update={"state": "confirmed"})
        case ActionClosedUnconfirmed():
            return action.model_copy(update={"state": "unconfirmed"})
        case ActionDropped():
            return action.model_copy(update={"state": "dropped"})
    return action


def _ids(action: Action) -> dict[str, Any]:
    return action.model_dump(include={"program", "action", "pair"})


def _open(action: Action) -> None:
    if action.state == "none":
        raise Refused("no-such-action", "There is no such action.")
    if action.state not in OPEN:
        raise Refused("action-closed", "The action is closed.")


ACTION = Aggregate(CATEGORY, Action(), decide, evolve)
