"""What insights remembers of each thing of the other services: the days on which it took its steps.

Only days, ids and words of closed lists: the published figures need nothing finer.
"""

from __future__ import annotations

from datetime import date, datetime

from chassis.receiving.views import Row
from contracts import enrollment, matching, scheduling
from contracts.fact import Fact, Value
from contracts.types import Actor, Side


class Program(Row):
    """The floors of a program, frozen when it opened."""

    floor_numbers: int = 0
    floor_words: int = 0


def fold_program(row: Program, fact: Fact, at: datetime) -> Program:
    """A program's row after one more fact."""
    match fact:
        case enrollment.ProgramOpened():
            return Program(floor_numbers=fact.floor_numbers, floor_words=fact.floor_words)
    return row


class Roles(Row):
    """The roles of one person in one program."""

    roles: tuple[enrollment.Role, ...] = ()


def fold_roles(row: Roles, fact: Fact, at: datetime) -> Roles:
    """A person's roles after one more fact."""
    return Roles(roles=tuple(sorted(enrollment.roles_after(frozenset(row.roles), fact))))


class Answered(Value):
    """What an invited person said on a day."""

    on: date
    answer: enrollment.Answer
    hesitation: enrollment.Hesitation | None = None


class Invitation(Row):
    """One person asked to take part on one side, and every answer they gave."""

    person: str = ""
    side: Side = Side.unknown
    invited: date | None = None
    answers: tuple[Answered, ...] = ()


def fold_invitation(row: Invitation, fact: Fact, at: datetime) -> Invitation:
    """An invitation's row after one more fact."""
    match fact:
        case enrollment.ParticipantInvited():
            return Invitation(person=fact.person, side=fact.side, invited=at.date(), answers=row.answers)
        case enrollment.InvitationAnswered():
            said = Answered(on=at.date(), answer=fact.answer, hesitation=fact.hesitation)
            return row.model_copy(update={"answers": (*row.answers, said)})
    return row


class Participation(Row):
    """When one person enrolled on each side, and first accepted a charter."""

    person: str = ""
    mentor: date | None = None
    executive: date | None = None
    charter: date | None = None


def fold_participation(row: Participation, fact: Fact, at: datetime) -> Participation:
    """A participation's row after one more fact."""
    match fact:
        case enrollment.MentorEnrolled():
            return row.model_copy(update={"person": fact.person, "mentor": row.mentor or at.date()})
        case enrollment.ExecutiveEnrolled():
            return row.model_copy(update={"person": fact.person, "executive": row.executive or at.date()})
        case enrollment.CharterAccepted():
            return row.model_copy(update={"charter": row.charter or at.date()})
    return row


class Round(Row):
    """How many people a matching round considered and could not place, by side; how often it was ordered anew."""

    mentors: int = 0
    executives: int = 0
    solved: date | None = None
    unplaced_mentors: int = 0
    unplaced_executives: int = 0
    published: date | None = None
    abandoned: date | None = None
    orders: int = 0


def fold_round(row: Round, fact: Fact, at: datetime) -> Round:
    """A round's row after one more fact."""
    match fact:
        case matching.RoundOpened():
            return row.model_copy(update={"mentors": fact.mentors, "executives": fact.executives})
        case matching.RoundSolved():
            unplaced = {"unplaced_mentors": fact.unplaced_mentors, "unplaced_executives": fact.unplaced_executives}
            return row.model_copy(update={"solved": at.date(), **unplaced})
        case matching.SolutionOrdered():
            return row.model_copy(update={"orders": row.orders + 1})
        case matching.RoundAbandoned():
            return row.model_copy(update={"abandoned": at.date()})
        case matching.RoundPublished():
            return row.model_copy(update={"published": row.published or at.date()})
    return row


class Proposal(Row):
    """How far a proposal came. Who said yes first, and who did not, is not kept."""

    mentor: str = ""
    executive: str = ""
    made: date | None = None
    approved: date | None = None
    asked: date | None = None
    agreed: date | None = None
    closed: date | None = None


def fold_proposal(row: Proposal, fact: Fact, at: datetime) -> Proposal:
    """A proposal's row after one more fact. The executive is the last to be asked, so their yes is both sides' yes."""
    day = at.date()
    match fact:
        case matching.PairProposed():
            made = {"mentor": fact.mentor, "executive": fact.executive, "made": row.made or day}
            return row.model_copy(update=made | {"approved": None, "closed": None})  # it may have fallen out before
        case matching.ProposalReviewed():
            match fact.verdict:
                case matching.Verdict.approved | matching.Verdict.locked:
                    return row.model_copy(update={"approved": row.approved or day})
                case matching.Verdict.rejected | matching.Verdict.swapped:
                    return row.model_copy(update={"approved": None})
        case matching.ConsentAsked():
            return row.model_copy(update={"asked": row.asked or day})
        case matching.ConsentGiven(side=Side.executive):
            return row.model_copy(update={"agreed": day})
        case matching.PairDeclined():
            return row.model_copy(update={"closed": day})
    return row


class Pair(Row):
    """Two people from *formed* to *released*; whether they had completed their journey."""

    pair: str = ""
    mentor: str = ""
    executive: str = ""
    formed: date | None = None
    released: date | None = None
    completed: bool = False
    paused: date | None = None
    resumed: date | None = None


def fold_pair(row: Pair, fact: Fact, at: datetime) -> Pair:
    """A pair's row after one more fact."""
    match fact:
        case matching.PairFormed():
            return Pair(pair=fact.pair, mentor=fact.mentor, executive=fact.executive, formed=at.date())
        case matching.PairReleased():
            completed = fact.cause is matching.ReleaseCause.completed
            return row.model_copy(update={"released": at.date(), "completed": completed, "paused": None})
        case matching.PairPaused():
            return row.model_copy(update={"paused": at.date()})
        case matching.PairResumed():
            return row.model_copy(update={"paused": None, "resumed": at.date()})
    return row


class Flag(Value):
    """A rule that a living pair breaks, since a day."""

    rule: matching.PairRule
    since: date


class Check(Row):
    """What a living pair is flagged for."""

    pair: str = ""
    flags: tuple[Flag, ...] = ()


def fold_check(row: Check, fact: Fact, at: datetime) -> Check:
    """A pair's flags after one more fact."""
    match fact:
        case matching.PairFlagged():
            return Check(pair=fact.pair, flags=(*row.flags, Flag(rule=fact.rule, since=at.date())))
        case matching.PairCleared():
            return Check(pair=fact.pair, flags=tuple(flag for flag in row.flags if flag.rule is not fact.rule))
    return row


class Journey(Row):
    """How many sessions a pair has planned."""

    pair: str = ""
    sessions: int = 0
    opened: date | None = None
    completed: date | None = None


def fold_journey(row: Journey, fact: Fact, at: datetime) -> Journey:
    """A journey's row after one more fact."""
    match fact:
        case scheduling.JourneyOpened():
            return Journey(pair=fact.pair, sessions=fact.sessions, opened=at.date())
        case scheduling.JourneyCompleted():
            return row.model_copy(update={"completed": at.date()})
    return row


class Done(Value):
    """Something one side, or the program, did to a session on a day."""

    on: date
    by: Actor


_NOBODYS = frozenset({scheduling.CancelCause.lapsed, scheduling.CancelCause.pause})
"""Cancellations that nobody is to be told of in figures: the times had passed, or one of the two is away."""


class Session(Row):
    """When a session was booked, moved, cancelled and held; whose it is, from the proposal on."""

    session: str = ""
    pair: str = ""
    booked: date | None = None
    moved: tuple[Done, ...] = ()
    cancelled: Done | None = None
    held: date | None = None


def fold_session(row: Session, fact: Fact, at: datetime) -> Session:
    """A session's row after one more fact."""
    day = at.date()
    match fact:
        case scheduling.SessionProposed():
            return row.model_copy(update={"session": fact.session, "pair": fact.pair})
        case scheduling.SessionScheduled():
            return row.model_copy(update={"session": fact.session, "pair": fact.pair, "booked": row.booked or day})
        case scheduling.SessionMoved():
            return row.model_copy(update={"moved": (*row.moved, Done(on=day, by=fact.by))})
        case scheduling.SessionCancelled() if fact.cause not in _NOBODYS:
            return row.model_copy(update={"cancelled": Done(on=day, by=fact.by)})
        case scheduling.SessionHeld():
            return row.model_copy(update={"held": day})
    return row


class Learning(Row):
    """When each side first noted what it learned in a session."""

    session: str = ""
    mentor: date | None = None
    executive: date | None = None


def fold_learning(row: Learning, fact: Fact, at: datetime) -> Learning:
    """A session's learning after one more fact."""
    match fact:
        case scheduling.LearningNoted(side=Side.mentor):
            return row.model_copy(update={"session": fact.session, "mentor": row.mentor or at.date()})
        case scheduling.LearningNoted(side=Side.executive):
            return row.model_copy(update={"session": fact.session, "executive": row.executive or at.date()})
    return row


class Idea(Row):
    """Which side put a card on the board of its pair, and when."""

    pair: str = ""
    by: Side = Side.unknown
    raised: date | None = None


def fold_idea(row: Idea, fact: Fact, at: datetime) -> Idea:
    """An idea's row after one more fact."""
    match fact:
        case scheduling.IdeaRaised():
            return Idea(pair=fact.pair, by=fact.by, raised=at.date())
    return row


class Action(Row):
    """The steps of an action, and which side promised it."""

    pair: str = ""
    owner: Side = Side.unknown
    committed: date | None = None
    started: date | None = None
    evidenced: date | None = None
    confirmed: date | None = None
    unconfirmed: date | None = None
    dropped: date | None = None


def fold_action(row: Action, fact: Fact, at: datetime) -> Action:
    """An action's row after one more fact."""
    day = at.date()
    match fact:
        case scheduling.ActionCommitted():
            return Action(pair=fact.pair, owner=fact.owner, committed=day)
        case scheduling.ActionStarted():
            return row.model_copy(update={"started": row.started or day})
        case scheduling.ActionEvidenced():
            return row.model_copy(update={"evidenced": row.evidenced or day})
        case scheduling.ActionConfirmed():
            return row.model_copy(update={"confirmed": day})
        case scheduling.ActionClosedUnconfirmed():
            return row.model_copy(update={"unconfirmed": day})
        case scheduling.ActionDropped():
            return row.model_copy(update={"dropped": day})
    return row
