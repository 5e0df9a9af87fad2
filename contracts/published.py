"""What other systems are told of a fact beside its schema: what it is not, and which versions are being retired."""

from __future__ import annotations

from contracts.retiring import Retiring

NOT: dict[str, str] = {
    # enrollment
    "ProgramOpened": "Not a sign that anybody takes part, and not a promise that the program closes on that day.",
    "RoleGranted": "Not a pair, and not a right in any other program; a person may hold several roles.",
    "ParticipantInvited": "Not an enrolment: who was invited and says nothing is no participant.",
    "InvitationAnswered": "Not an enrolment, even where the answer is yes, and not the last word.",
    "MentorEnrolled": "Not a readiness to be matched: charter, time and profile may be missing.",
    "ExecutiveEnrolled": "Not a readiness to be matched: charter, time and profile may be missing.",
    "CharterAccepted": "Not an acceptance of any later version of the charter.",
    "AvailabilityDeclared": "Not a booking, and not the times themselves, which are personal.",
    "CapacityDeclared": "Not a number of pairs: how many seats are taken is nobody else's to know.",
    "ProfileRevised": "Not the new values: whoever may read them finds them in the profile.",
    "PauseArranged": "Not a withdrawal, and not yet a pause: it begins with ParticipationPaused.",
    "PauseCalledOff": "Not a return: that is ParticipationResumed.",
    "ParticipationPaused": "Not a withdrawal, and no reason: none is asked.",
    "ParticipationResumed": "Not a promise to be reached: another pause may overlap.",
    "ParticipantWithdrawn": "Not a judgement and not an erasure: what was said of the person stays until they ask.",
    "ErasureRequested": "Not an error and not undone by anything: there is no fact that takes it back.",
    "ParticipantErased": "Not a word about other systems: each of them deletes by itself.",
    # matching
    "RoundOpened": "Not a result, and nobody is asked anything because of it.",
    "SolutionOrdered": "Not a change of anybody's pair: proposals that stood may come to nothing.",
    "RoundSolved": "Not a decision: a coordinator reviews it, and both sides are asked.",
    "RoundAbandoned": "Not an end of pairs that formed before.",
    "RoundPublished": "Not a list of pairs: approved is not yet agreed to.",
    "PairProposed": "Not known to either of the two, and not a pair.",
    "ProposalReviewed": "Not a yes of anybody the proposal is about.",
    "ConsentAsked": "Not a pair, and not a reminder: it is said once for each side.",
    "ConsentGiven": "Not a pair: the other side may still decline, or the seat be gone.",
    "PairDeclined": "Not a refusal by a certain side, and never to be read as one.",
    "PairFormed": "Not a first meeting, and not a judgement of fit.",
    "PairReleased": "Not a failure, and never who wanted it.",
    "PairPaused": "Not an end, and not which of the two is away.",
    "PairResumed": "Not a session: the next one still has to be found.",
    "PairFlagged": "Not an end of the pair and nobody's fault: people decide whether it goes on.",
    "PairCleared": "Not a word about any other rule the pair may break.",
    # scheduling
    "JourneyOpened": "Not a calendar entry: no session has a time yet.",
    "JourneyCompleted": "Not a measure of success, and not the end of the pair: PairReleased is.",
    "SessionProposed": "Not a booking: nothing is in any calendar yet.",
    "SessionScheduled": "Not a sign that it took place: SessionHeld is, and it may be moved or cancelled before.",
    "SessionMoved": "Not another session: the entry in the calendar is replaced.",
    "SessionCancelled": "Not a missed meeting and not a reason: who was ill or busy is not said.",
    "SessionHeld": "Not what was talked about, and not who came late.",
    "LearningNoted": "Not the words: they are the pair's own.",
    "IdeaRaised": "Not a promise and not an insight for the organisation.",
    "ActionCommitted": "Not something done, and not a target set by the organisation.",
    "ActionStarted": "Not evidence of anything.",
    "ActionEvidenced": "Not a confirmation: whether it changed something is the mentor's to say.",
    "ActionConfirmed": "Not a measure of how much has changed.",
    "ActionClosedUnconfirmed": "Not a refusal by the mentor, and nothing against the owner.",
    "ActionDropped": "Not a broken promise: some are overtaken by events.",
    # insights
    "ThemePublished": "Not the number of people, not their words, and not who they are.",
    "ReportPublished": "Not the figures: they are asked for where rights are checked.",
    # every service
    "ErasureConfirmedByMatching": "Not the whole erasure: ParticipantErased says when every service is done.",
    "ErasureConfirmedByScheduling": "Not the whole erasure: ParticipantErased says when every service is done.",
    "ErasureConfirmedByInsights": "Not the whole erasure: ParticipantErased says when every service is done.",
    # state records
    "Person": "Not for other systems: it holds a name and an address.",
    "Profile": "Not for other systems, and not a history: only the newest record of a key is kept.",
    "Reference": "Not a fact: wording may change at any time, ids do not.",
}
"""By the name of each fact that is published, and of each state record: what somebody could mistake it for."""


RETIRING: dict[tuple[str, int], Retiring] = {}
"""By fact and version. A version that a newer one has replaced is not in it: it is `superseded`, and said no more."""
