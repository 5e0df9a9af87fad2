"""What scheduling does when it hears something: on which fact, what, and what may be refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from chassis.deciding.decider import On
from chassis.receiving.tasks import NotYet, Task, Tasks, Work
from contracts import enrollment, matching
from contracts.enrollment import ErasureRequested
from contracts.matching import PairFormed, PairPaused, PairReleased, PairResumed
from contracts.profiles import profile_key
from contracts.scheduling import (
    ActionCommitted,
    ActionEvidenced,
    CancelCause,
    SessionCancelled,
    SessionHeld,
    SessionProposed,
)
from contracts.types import Actor
from services.scheduling.board.action import ACTION, OPEN, EndWithPair, LapseConfirmation
from services.scheduling.erasure import erase
from services.scheduling.journey import JOURNEY, CompleteJourney, Journey, OpenJourney
from services.scheduling.sessions.diary import DIARY, FreeSlot
from services.scheduling.sessions.session import (
    FURTHEST,
    SESSION,
    CancelSession,
    LapseSession,
    ProposeSession,
    last_start,
)
from services.scheduling.sessions.windows import Calendar, propose
from services.scheduling.views import (
    ACTIONS,
    PAIRS,
    PARTICIPATIONS,
    PROFILES,
    PROGRAMS,
    SESSIONS,
    Absence,
    Pair,
    Program,
)

LEAST_CONFIRM = timedelta(days=1)
"""The shortest time a program may give to confirm: no timer can be due earlier."""
MOST_LAPSES = 3
"""How often a session is offered anew by itself: who has stopped answering is not asked for ever."""


async def open_journey(fact: PairFormed, work: Work) -> None:
    """Plan the pair's journey, and offer times for its first session."""
    pair = await _pair(work, fact.pair)
    if pair.released:
        return
    rules = (await _program(work)).rules
    journey = OpenJourney(
        program=work.scope,
        pair=fact.pair,
        sessions=rules.sessions,
        cadence_weeks=rules.cadence_weeks,
        minutes=rules.minutes,
        driver=rules.driver,
    )
    revs = (fact.mentor_rev, fact.executive_rev)
    first = await _proposal(work, pair, rules.minutes, number=1, around=work.now(), revs=revs)
    await work.run(On(JOURNEY, JOURNEY.stream(work.scope, fact.pair), journey), first)


async def go_on(fact: SessionHeld, work: Work) -> None:
    """Offer times for the next session, one cadence later; or complete the journey."""
    pair, journey = await _pair(work, fact.pair), await _journey(work, fact.pair)
    if pair.released or (pair.paused and fact.number < journey.sessions):
        return
    if fact.number >= journey.sessions:
        await work.run(On(JOURNEY, JOURNEY.stream(work.scope, fact.pair), CompleteJourney(held=fact.number)))
        return
    around = fact.start + timedelta(weeks=journey.cadence_weeks)
    await work.run(await _proposal(work, pair, journey.minutes, number=fact.number + 1, around=around))


async def offer_again(fact: SessionCancelled, work: Work) -> None:
    """A session that one of the two cancelled, or nobody answered, is proposed again, as another session."""
    pair = await _pair(work, fact.pair)
    if pair.released or pair.paused or fact.cause not in (CancelCause.person, CancelCause.lapsed):
        return
    journey = await _journey(work, fact.pair)
    sessions = await work.views.find(SESSIONS, work.scope, {"pair": fact.pair, "state": "held"})
    starts = [s.row.start for s in sessions if s.row.start]
    around = max(starts) + timedelta(weeks=journey.cadence_weeks) if starts else work.now()
    await work.run(await _proposal(work, pair, journey.minutes, number=fact.number, around=around))


async def let_lapse(fact: SessionProposed, work: Work) -> None:
    """Times that all passed unanswered are given up for new ones; after `MOST_LAPSES`, only when somebody cancels."""
    last = last_start(fact.windows)
    if work.now() < last:
        raise NotYet(last)
    if (await _pair(work, fact.pair)).released:
        return
    lapsed = {"pair": fact.pair, "number": fact.number, "state": "cancelled", "by": Actor.program.value}
    if len(await work.views.find(SESSIONS, work.scope, lapsed)) < MOST_LAPSES:
        await work.run(On(SESSION, SESSION.stream(work.scope, fact.session), LapseSession()))


async def stand_still(fact: PairPaused, work: Work) -> None:
    """Nothing that is still to come waits for who is away: it is cancelled by nobody, and offered again afterwards."""
    pair = await _pair(work, fact.pair)
    open_sessions = {"pair": fact.pair, "state": {"$in": ["proposed", "scheduled"]}}
    for found in await work.views.find(SESSIONS, work.scope, open_sessions):
        session = found.row
        if pair.paused and (session.start is None or session.start > work.now()):
            cancel = On(SESSION, found.stream, CancelSession(by=Actor.program, cause=CancelCause.pause))
            free = FreeSlot(session=session.session)
            diaries = [On(DIARY, DIARY.stream(work.scope, who), free) for who in (pair.mentor, pair.executive)]
            await work.run(cancel, *diaries, step=session.session)


async def go_on_again(fact: PairResumed, work: Work) -> None:
    """Both are back: offer times for the session whose turn it is, unless there are some."""
    pair, journey = await _pair(work, fact.pair), await _journey(work, fact.pair)
    sessions = [f.row for f in await work.views.find(SESSIONS, work.scope, {"pair": fact.pair})]
    if any(s.state in ("proposed", "scheduled") for s in sessions) or pair.paused or pair.released:
        return
    held = [s for s in sessions if s.state == "held"]
    number = max((s.number for s in held), default=0) + 1
    if journey.state != "open" or number > journey.sessions:
        return
    starts = [s.start + timedelta(weeks=journey.cadence_weeks) for s in held if s.start]
    around = max([work.now(), *starts])
    await work.run(await _proposal(work, pair, journey.minutes, number=number, around=around))


async def end_with_pair(fact: PairReleased, work: Work) -> None:
    """Cancel what had not begun when the pair ended, free both diaries, and close the board without blame."""
    pair = await _pair(work, fact.pair)
    open_sessions = {"pair": fact.pair, "state": {"$in": ["proposed", "scheduled"]}}
    for session in await work.views.find(SESSIONS, work.scope, open_sessions):
        await _cancel(work, pair, session.row.session)
    open_actions = {"pair": fact.pair, "state": {"$in": list(OPEN)}}
    for action in await work.views.find(ACTIONS, work.scope, open_actions):
        await work.run(On(ACTION, action.stream, EndWithPair()), step=action.row.action)


async def cancel_if_over(fact: SessionProposed, work: Work) -> None:
    """A session that was proposed while the pair's end was on its way."""
    pair = await _pair(work, fact.pair)
    if pair.released:
        await _cancel(work, pair, fact.session)


async def close_if_over(fact: ActionCommitted, work: Work) -> None:
    """An action that was promised while the pair's end was on its way."""
    if (await _pair(work, fact.pair)).released:
        await work.run(On(ACTION, ACTION.stream(work.scope, fact.action), EndWithPair()))


async def close_unconfirmed(fact: ActionEvidenced, work: Work) -> None:
    """Evidence that the mentor has not answered in the days the program gives is closed, without blame."""
    stream = ACTION.stream(work.scope, fact.action)
    row = await work.views.get(ACTIONS, stream)
    if row is None or row.state != "evidenced" or row.shown is None:
        return
    until = row.shown + timedelta(days=(await _program(work)).rules.confirm_days)
    if work.now() < until:
        raise NotYet(until)
    await work.run(On(ACTION, stream, LapseConfirmation()))


def _needs(fact: PairFormed) -> Sequence[str]:
    return [*fact.after, f"{enrollment.PROGRAM.stream(fact.program, fact.program)}@1"]


def _all_passed(fact: SessionProposed, at: datetime) -> datetime:
    return last_start(fact.windows)


def _least_confirm(fact: ActionEvidenced, at: datetime) -> datetime:
    return at + LEAST_CONFIRM


TASKS = Tasks(
    [
        Task("open_journey", PairFormed, open_journey, needs=_needs),
        Task("go_on", SessionHeld, go_on),
        Task("offer_again", SessionCancelled, offer_again),
        Task("let_lapse", SessionProposed, let_lapse, due=_all_passed),
        Task("stand_still", PairPaused, stand_still, refused=frozenset({"session-held"})),
        Task("go_on_again", PairResumed, go_on_again),
        Task("end_with_pair", PairReleased, end_with_pair),
        Task("cancel_if_over", SessionProposed, cancel_if_over),
        Task("close_if_over", ActionCommitted, close_if_over),
        Task("close_unconfirmed", ActionEvidenced, close_unconfirmed, due=_least_confirm),
        Task("erase", ErasureRequested, erase),
    ]
)


async def _proposal(
    work: Work, pair: Pair, minutes: int, *, number: int, around: datetime, revs: tuple[int, int] = (1, 1)
) -> On:
    """The command that offers times for a session of a pair."""
    now, rules = work.now(), (await _program(work)).rules
    mentor = await _calendar(work, pair.mentor, revs[0])
    executive = await _calendar(work, pair.executive, revs[1])
    session = work.origin.new_id("se")
    command = ProposeSession(
        program=work.scope,
        session=session,
        pair=pair.pair,
        number=number,
        windows=propose(mentor, executive, minutes, around, now),
        answer_by=now + timedelta(days=rules.answer_days),
    )
    return On(SESSION, SESSION.stream(work.scope, session), command)


async def _calendar(work: Work, person: str, rev: int) -> Calendar:
    """A person's time. Raises `NotYet` where their profile, at `rev` or later, has not been heard."""
    profile = await work.views.latest(PROFILES, profile_key(work.scope, person))
    if profile is None or profile.rev < rev or profile.zone is None:
        raise NotYet
    diary, _ = await work.read(DIARY, DIARY.stream(work.scope, person))
    row = await work.views.get(PARTICIPATIONS, PARTICIPATIONS.category.stream(work.scope, person))
    away = [_away(absence, ZoneInfo(profile.zone)) for absence in row.absences.values()] if row else []
    return Calendar(profile.zone, tuple(profile.windows), (*diary.spans(), *away))


def _away(absence: Absence, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From the first midnight of a pause to the last."""
    until = absence.until or absence.starts + FURTHEST
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (absence.starts, until))
    return begin, end


async def _cancel(work: Work, pair: Pair, session: str) -> None:
    """Give up a session of a pair that is over, unless it had begun by then; it may still be recorded."""
    cancel = CancelSession(by=Actor.program, cause=CancelCause.released, released=pair.released)
    free = FreeSlot(session=session, released=pair.released)
    diaries = [On(DIARY, DIARY.stream(work.scope, person), free) for person in (pair.mentor, pair.executive)]
    await work.run(On(SESSION, SESSION.stream(work.scope, session), cancel), *diaries, step=session)


async def _pair(work: Work, pair: str) -> Pair:
    row = await work.views.get(PAIRS, matching.PAIR.stream(work.scope, pair))
    if row is None:
        raise NotYet
    return row


async def _program(work: Work) -> Program:
    row = await work.views.get(PROGRAMS, enrollment.PROGRAM.stream(work.scope, work.scope))
    if row is None:
        raise NotYet
    return row


async def _journey(work: Work, pair: str) -> Journey:
    return (await work.read(JOURNEY, JOURNEY.stream(work.scope, pair)))[0]
