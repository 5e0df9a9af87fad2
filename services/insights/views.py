"""Which facts insights hears and into which rows they fold, and the state records by which it knows people and tags."""

from __future__ import annotations

from typing import Any

from chassis.receiving.views import StateView, View
from contracts import enrollment, matching, profiles, scheduling
from services.insights import rows

PROFILES = StateView("profiles", profiles.PROFILES, profiles.Profile, indexes=("subject",), personal=True)
REFERENCES = StateView("references", profiles.REFERENCE, profiles.Reference)
STATES: tuple[StateView[Any], ...] = (PROFILES, REFERENCES)

PROGRAMS = View("programs", enrollment.PROGRAM, rows.Program, rows.fold_program, frozenset({enrollment.ProgramOpened}))
ROLES = View("roles", enrollment.ROLE, rows.Roles, rows.fold_roles, frozenset({enrollment.RoleGranted}))
INVITATIONS = View(
    "invitations",
    enrollment.INVITATION,
    rows.Invitation,
    rows.fold_invitation,
    frozenset({enrollment.ParticipantInvited, enrollment.InvitationAnswered}),
)
PARTICIPATIONS = View(
    "participations",
    enrollment.PARTICIPATION,
    rows.Participation,
    rows.fold_participation,
    frozenset({enrollment.MentorEnrolled, enrollment.ExecutiveEnrolled, enrollment.CharterAccepted}),
)
ROUNDS = View(
    "rounds",
    matching.ROUND,
    rows.Round,
    rows.fold_round,
    frozenset(
        {
            matching.RoundOpened,
            matching.RoundSolved,
            matching.SolutionOrdered,
            matching.RoundAbandoned,
            matching.RoundPublished,
        }
    ),
)
PROPOSALS = View(
    "proposals",
    matching.PROPOSAL,
    rows.Proposal,
    rows.fold_proposal,
    frozenset(
        {
            matching.PairProposed,
            matching.ProposalReviewed,
            matching.ConsentAsked,
            matching.ConsentGiven,
            matching.PairDeclined,
        }
    ),
)
PAIRS = View(
    "pairs",
    matching.PAIR,
    rows.Pair,
    rows.fold_pair,
    frozenset({matching.PairFormed, matching.PairPaused, matching.PairResumed, matching.PairReleased}),
)
CHECKS = View(
    "checks", matching.CHECK, rows.Check, rows.fold_check, frozenset({matching.PairFlagged, matching.PairCleared})
)
JOURNEYS = View(
    "journeys",
    scheduling.JOURNEY,
    rows.Journey,
    rows.fold_journey,
    frozenset({scheduling.JourneyOpened, scheduling.JourneyCompleted}),
)
SESSIONS = View(
    "sessions",
    scheduling.SESSION,
    rows.Session,
    rows.fold_session,
    frozenset(
        {
            scheduling.SessionProposed,
            scheduling.SessionScheduled,
            scheduling.SessionMoved,
            scheduling.SessionCancelled,
            scheduling.SessionHeld,
        }
    ),
)
LEARNINGS = View(
    "learnings", scheduling.LEARNING, rows.Learning, rows.fold_learning, frozenset({scheduling.LearningNoted})
)
IDEAS = View("ideas", scheduling.IDEA, rows.Idea, rows.fold_idea, frozenset({scheduling.IdeaRaised}))
ACTIONS = View(
    "actions",
    scheduling.ACTION,
    rows.Action,
    rows.fold_action,
    frozenset(
        {
            scheduling.ActionCommitted,
            scheduling.ActionStarted,
            scheduling.ActionEvidenced,
            scheduling.ActionConfirmed,
            scheduling.ActionClosedUnconfirmed,
            scheduling.ActionDropped,
        }
    ),
)
VIEWS: tuple[View[Any], ...] = (
    PROGRAMS,
    ROLES,
    INVITATIONS,
    PARTICIPATIONS,
    ROUNDS,
    PROPOSALS,
    PAIRS,
    CHECKS,
    JOURNEYS,
    SESSIONS,
    LEARNINGS,
    IDEAS,
    ACTIONS,
)
