"""What matching says: rounds, proposals and consent, pairs; and, sealed, the seats and earlier partners of a person."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.enrollment import Count, Objective, Rev, Term
from contracts.fact import Fact
from contracts.streams import Audience, Category
from contracts.types import (
    Date,
    Digest,
    Instant,
    PairId,
    PersonId,
    ProgramId,
    ProposalId,
    RoundId,
    Side,
    StreamVersion,
    Word,
)

ROUND = Category("round", "matching", Audience.internal)
PROPOSAL = Category("proposal", "matching", Audience.internal)
PAIR = Category("pair", "matching", Audience.public)
CHECK = Category("check", "matching", Audience.internal)
SEAT = Category("seat", "matching", Audience.sealed)
PARTNERS = Category("partners", "matching", Audience.sealed, orgwide=True)
ERASURE = Category("matching-erasure", "matching", Audience.public, orgwide=True)

Points = Annotated[int, Field(ge=0)]


class RoundKind(Word):
    """Whom a round places: a whole cohort, newcomers, or those whose pair ended."""

    cohort = "cohort"
    newcomers = "newcomers"
    repair = "repair"
    unknown = "unknown"


class RoundOpened(Fact, of=ROUND):
    """A matching run began on one frozen input; the same input, rules and solver give the same result."""

    program: ProgramId
    round: RoundId
    kind: RoundKind
    rules_version: int = Field(ge=1)
    objective: Objective
    mentors: Count
    executives: Count
    input: Digest
    solver: list[Count] = Field(min_length=3, max_length=3, description="Version of the solver.")


class RoundSolved(Fact, of=ROUND):
    """The run has a result to review: who goes with whom is in the proposals. Said again whenever the round was solved
    again, because pairs were turned down or the coordinator ordered it; the last one counts."""

    program: ProgramId
    round: RoundId
    proposed: Count
    unplaced_mentors: Count
    unplaced_executives: Count
    total: Points = Field(description="Sum of the scores of the proposed pairs.")
    optimal: bool = Field(description="Whether the certificate proves that no better result exists.")
    certificate: Digest
    millis: Count


class SolutionOrdered(Fact, of=ROUND):
    """The coordinator wants the round solved again: what is locked stays, everything else may change."""

    program: ProgramId
    round: RoundId


class RoundAbandoned(Fact, of=ROUND):
    """The coordinator gave the round up; what nobody was asked about yet comes to nothing."""

    program: ProgramId
    round: RoundId


class RoundPublished(Fact, of=ROUND):
    """The coordinator let the result out: from now on people are asked for their consent. Where some proposals stay
    under review, the round is published again with them, and the counts of the last publication count."""

    program: ProgramId
    round: RoundId
    approved: Count
    rejected: Count
    kept: Annotated[int, Field(ge=1)] | None = Field(None, description="Proposals that stay under review.")


class Origin(Word):
    """Whose idea a proposal was."""

    round = "round"
    mentor = "mentor"
    executive = "executive"
    coordinator = "coordinator"
    unknown = "unknown"


class PairProposed(Fact, of=PROPOSAL):
    """Two people could become a pair. Neither of them knows before their consent is asked."""

    program: ProgramId
    proposal: ProposalId
    mentor: PersonId
    executive: PersonId
    round: RoundId | None = None
    origin: Origin
    rules_version: int = Field(ge=1)
    score: Points
    terms: dict[Term, Points]
    after: list[StreamVersion] = Field(description="The participation facts it was computed from.")


class Verdict(Word):
    """What the coordinator made of a proposal."""

    approved = "approved"
    rejected = "rejected"
    locked = "locked"
    unlocked = "unlocked"
    swapped = "swapped"
    unknown = "unknown"


class ProposalReviewed(Fact, of=PROPOSAL):
    """The coordinator judged a proposal; the last verdict before the round is published counts."""

    program: ProgramId
    proposal: ProposalId
    verdict: Verdict
    round: RoundId | None = None


class ConsentAsked(Fact, of=PROPOSAL):
    """One person was asked whether they want this pair; the executive only after the mentor said yes."""

    program: ProgramId
    proposal: ProposalId
    person: PersonId
    side: Side
    lapses: Instant


class ConsentGiven(Fact, of=PROPOSAL):
    """One side said yes. The pair is not formed before PairFormed says so."""

    program: ProgramId
    proposal: ProposalId
    person: PersonId
    side: Side


class DeclineCause(Word):
    """Why a proposal came to nothing."""

    declined = "declined"
    lapsed = "lapsed"
    seat_taken = "seat_taken"
    ineligible = "ineligible"
    superseded = "superseded"
    unknown = "unknown"


class PairDeclined(Fact, of=PROPOSAL):
    """A proposal came to nothing. It does not say which side declined."""

    program: ProgramId
    proposal: ProposalId
    cause: DeclineCause


class PairFormed(Fact, of=PAIR):
    """A mentor and an executive are a pair, with a seat of each taken."""

    program: ProgramId
    pair: PairId
    mentor: PersonId
    executive: PersonId
    round: RoundId | None = None
    rules_version: int = Field(ge=1)
    formed: Instant
    after: list[StreamVersion] = Field(description="The participation facts matching had seen.")
    mentor_rev: Rev
    executive_rev: Rev


class ReleaseCause(Word):
    """Why a pair is over; never who wanted it."""

    completed = "completed"
    ended = "ended"
    leaver = "leaver"
    idle = "idle"
    program_closed = "program_closed"
    rule = "rule"
    unknown = "unknown"


class PairReleased(Fact, of=PAIR):
    """A pair is over and both seats are free. It does not say by whom."""

    program: ProgramId
    pair: PairId
    cause: ReleaseCause


class PairPaused(Fact, of=PAIR):
    """One of the two is away: every clock of the pair stands still. Said once, however many pauses overlap."""

    program: ProgramId
    pair: PairId
    until: Date | None = None


class PairResumed(Fact, of=PAIR):
    """Neither of the two is away any more."""

    program: ProgramId
    pair: PairId


class PairRule(Word):
    """A hard rule that a living pair can come to break."""

    line = "line"
    """One is in the other's reporting line, or a line is incomplete."""
    level = "level"
    language = "language"
    overlap = "overlap"
    place = "place"
    """The same function or site, where the program wants others."""
    unknown = "unknown"


class PairFlagged(Fact, of=CHECK):
    """A living pair breaks a rule since something about one of the two has changed. It goes on."""

    program: ProgramId
    pair: PairId
    rule: PairRule


class PairCleared(Fact, of=CHECK):
    """A living pair keeps a rule again."""

    program: ProgramId
    pair: PairId
    rule: PairRule


class SeatsSet(Fact, of=SEAT):
    """How many living pairs a person may be in; 0 once they have left."""

    program: ProgramId
    person: PersonId
    side: Side
    capacity: int = Field(ge=0, le=3)
    paused: bool | None = Field(None, description="True while they are away: no pair can form.")


class SeatTaken(Fact, of=SEAT):
    """One of a person's seats is taken by a pair."""

    program: ProgramId
    person: PersonId
    pair: PairId


class SeatFreed(Fact, of=SEAT):
    """The seat a pair had taken is free again."""

    program: ProgramId
    person: PersonId
    pair: PairId


class PersonExcluded(Fact, of=SEAT):
    """A person does not want to be paired with another. Nobody but they themselves ever learns it."""

    program: ProgramId
    person: PersonId
    other: PersonId


class ExclusionLifted(Fact, of=SEAT):
    """A person took an exclusion back."""

    program: ProgramId
    person: PersonId
    other: PersonId


class LeftOver(Fact, of=SEAT):
    """A person whom the rules allow a partner, and for whom a round had none left, goes first in the next."""

    program: ProgramId
    person: PersonId
    round: RoundId


class PriorityGiven(Fact, of=SEAT):
    """A person whose pair ended, and who did not leave it, comes first among equals in the next round."""

    program: ProgramId
    person: PersonId
    pair: PairId


class PartnerMet(Fact, of=PARTNERS):
    """A person became a pair with another, in some program: none pairs the two again."""

    person: PersonId
    partner: PersonId
    pair: PairId


class ErasureConfirmedByMatching(Fact, of=ERASURE):
    """Matching keeps nothing personal of a person any more, and nothing that comes late can bring it back."""

    person: PersonId
    items: int = Field(ge=0, description="How many documents were deleted: state records, and changed rounds.")
