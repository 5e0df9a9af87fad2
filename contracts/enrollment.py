"""What enrollment says: programs, rules, roles, invitations, who takes part, erasure; sealed, what a roster changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.fact import Fact, Value
from contracts.streams import Audience, Category
from contracts.types import (
    ContentId,
    Date,
    Digest,
    ImportId,
    InvitationId,
    PauseId,
    PersonId,
    ProgramId,
    Side,
    Word,
)

PROGRAM = Category("program", "enrollment", Audience.public)
ROLE = Category("role", "enrollment", Audience.internal)
INVITATION = Category("invitation", "enrollment", Audience.internal)
PARTICIPATION = Category("participation", "enrollment", Audience.public)
IMPORT = Category("import", "enrollment", Audience.sealed, orgwide=True)
PERSON = Category("person", "enrollment", Audience.sealed, orgwide=True)
ERASURE = Category("erasure", "enrollment", Audience.public, orgwide=True)

Count = Annotated[int, Field(ge=0)]
Rev = Annotated[int, Field(ge=1)]
"""A revision of a person's state record (`contracts.profiles`): the higher one wins."""
Capacity = Annotated[int, Field(ge=1, le=3)]
"""Living pairs one person may be in at a time, on one side."""


class Objective(Word):
    """What a matching round makes as large as possible."""

    most_people = "most_people"
    most_pairs = "most_pairs"
    best_pairs = "best_pairs"
    unknown = "unknown"


class Term(Word):
    """One summand of a pair's score."""

    seeks = "seeks"
    """Themes the executive seeks and the mentor offers."""
    offers = "offers"
    """Themes the executive offers and the mentor seeks."""
    level = "level"
    """Difference in level beyond the least one."""
    function = "function"
    """Another function."""
    place = "place"
    """Another site."""
    overlap = "overlap"
    """Common time in a week."""
    channel = "channel"
    """A channel both use."""
    unknown = "unknown"


class Consent(Word):
    """Who is asked before a pair forms: both (the mentor first), or the executive alone."""

    both = "both"
    executive = "executive"
    unknown = "unknown"


class WorkingWeek(Word):
    """The days that count as working days."""

    mon_fri = "mon_fri"
    sun_thu = "sun_thu"
    unknown = "unknown"


Weight = Annotated[int, Field(ge=0, le=10_000)]


def default_weights() -> dict[Term, int]:
    """The most points each term of a score can give; what the executive wants to learn counts most."""
    return {
        Term.seeks: 4000,
        Term.offers: 2500,
        Term.level: 1000,
        Term.function: 750,
        Term.place: 750,
        Term.overlap: 500,
        Term.channel: 500,
    }


class EarlierPartners(Word):
    """With which of their earlier partners somebody is not paired again."""

    anywhere = "anywhere"
    """With none of them, in whatever program of the installation they met."""
    program = "program"
    """With none of this program."""
    unknown = "unknown"


class Rules(Value):
    """How a program runs. Every field has a default that has worked; a program changes what it wants otherwise."""

    objective: Objective = Objective.most_people
    weights: dict[Term, Weight] = Field(default_factory=default_weights)
    level_gap: int = Field(3, ge=1, le=20, description="Levels a mentor is below the executive, at least.")
    window_minutes: int = Field(45, ge=15, le=240, description="Length of the one window both must have.")
    overlap_minutes: int = Field(60, ge=15, le=2400, description="Common minutes in a week, at least.")
    other_function: bool = Field(False, description="Whether the two must be of different functions.")
    other_site: bool = Field(False, description="Whether the two must be at different sites.")
    earlier_partners: EarlierPartners = Field(
        EarlierPartners.anywhere, description="With which earlier partners nobody is paired again."
    )
    consent: Consent = Consent.both
    consent_working_days: int = Field(3, ge=1, le=20, description="Working days until an unanswered consent lapses.")
    working_week: WorkingWeek = WorkingWeek.mon_fri
    driver: Side = Field(Side.mentor, description="The side that takes the next step.")
    sessions: int = Field(6, ge=1, le=26, description="Sessions of a journey.")
    minutes: int = Field(45, ge=15, le=90, description="Length of a session.")
    months: int = Field(6, ge=1, le=24, description="Length of a journey.")
    cadence_weeks: int = Field(4, ge=1, le=13, description="Weeks from one session to the next.")
    capacity_mentor: Capacity = 1
    capacity_executive: Capacity = 1
    charter_version: int = Field(1, ge=1, description="The charter that must have been accepted before matching.")
    answer_days: int = Field(7, ge=1, le=60, description="Days to answer proposed windows of a session.")
    confirm_days: int = Field(14, ge=1, le=90, description="Days the mentor has to confirm evidence of an action.")


class ProgramOpened(Fact, of=PROGRAM):
    """A program exists and people can be invited. Its floors are fixed for ever: no later fact can lower them."""

    program: ProgramId
    rules: Rules
    rules_version: int = Field(ge=1)
    opens: Date
    closes: Date
    floor_numbers: int = Field(ge=5, description="People behind a published number, at least.")
    floor_words: int = Field(ge=10, description="People behind a published theme or wording, at least.")


class Role(Word):
    """What a person may do in a program beyond taking part."""

    coordinator = "coordinator"
    sponsor = "sponsor"
    trusted = "trusted"
    """One of the two people concerns are addressed to."""
    theme_owner = "theme_owner"
    delegate = "delegate"
    """Books and moves the sessions of one executive, and sees nothing else of the pair."""
    unknown = "unknown"


class RoleGranted(Fact, of=ROLE):
    """A person may from now on act in a role. Mentor and executive are not roles but sides of a pair."""

    program: ProgramId
    person: PersonId
    role: Role
    for_person: PersonId | None = Field(None, description="Whom a delegate acts for.")


def roles_after(roles: frozenset[Role], fact: Fact) -> frozenset[Role]:
    """The roles one person holds in one program after one more fact of their role stream.

    A role this release does not know grants nothing.
    """
    if isinstance(fact, RoleGranted) and fact.role is not Role.unknown:
        return roles | {fact.role}
    return roles


class ValueCase(Word):
    """The reason for taking part that an invitation puts first."""

    insight = "insight"
    """A view of the organisation that reports do not give."""
    skills = "skills"
    """To learn how newer tools and habits work."""
    talent = "talent"
    """To understand why people stay or go."""
    visibility = "visibility"
    """To be heard, and to see how decisions are made."""
    unknown = "unknown"


class Answer(Word):
    """What an invited person said."""

    accepted = "accepted"
    hesitant = "hesitant"
    declined = "declined"
    unknown = "unknown"


class Hesitation(Word):
    """Why somebody did not say yes."""

    time = "time"
    exposure = "exposure"
    relevance = "relevance"
    judgement = "judgement"
    past_experience = "past_experience"
    other = "other"
    unknown = "unknown"


class ParticipantInvited(Fact, of=INVITATION):
    """A person was asked to take part on one side. Nothing binds them yet."""

    program: ProgramId
    invitation: InvitationId
    person: PersonId
    side: Side
    wave: int = Field(ge=1, description="Which round of invitations it belongs to.")
    value_case: ValueCase | None = None


class InvitationAnswered(Fact, of=INVITATION):
    """The invited person answered. A later answer replaces an earlier one; accepting is not yet taking part."""

    program: ProgramId
    invitation: InvitationId
    person: PersonId
    side: Side
    answer: Answer
    hesitation: Hesitation | None = None


class MentorEnrolled(Fact, of=PARTICIPATION):
    """A person takes part as mentor, the junior side. They cannot be matched before the charter is accepted."""

    program: ProgramId
    person: PersonId
    profile_rev: Rev
    capacity: Capacity


class ExecutiveEnrolled(Fact, of=PARTICIPATION):
    """A person takes part as executive, the senior side. They cannot be matched before the charter is accepted."""

    program: ProgramId
    person: PersonId
    profile_rev: Rev
    capacity: Capacity


class CharterAccepted(Fact, of=PARTICIPATION):
    """A participant agreed to one version of the charter: mutual respect, not judgement."""

    program: ProgramId
    person: PersonId
    charter_version: int = Field(ge=1)


class AvailabilityDeclared(Fact, of=PARTICIPATION):
    """A participant said when they have time. The windows themselves are in the profile, at `profile_rev` or later."""

    program: ProgramId
    person: PersonId
    profile_rev: Rev
    minutes_week: int = Field(ge=0, le=7 * 24 * 60)
    longest_minutes: int = Field(ge=0, le=24 * 60, description="Length of the longest window.")


class CapacityDeclared(Fact, of=PARTICIPATION):
    """A participant said in how many pairs they want to be at a time. Fewer than they are in ends none."""

    program: ProgramId
    person: PersonId
    side: Side
    capacity: Capacity


class ProfileField(Word):
    """What of a participant's profile may change."""

    level = "level"
    function = "function"
    site = "site"
    zone = "zone"
    languages = "languages"
    topics = "topics"
    """Themes offered and sought."""
    line = "line"
    channels = "channels"
    unknown = "unknown"


class ProfileRevised(Fact, of=PARTICIPATION):
    """Something else holds of a participant, as they or a roster said; what it is now is in the profile."""

    program: ProgramId
    person: PersonId
    profile_rev: Rev
    changed: list[ProfileField] = Field(min_length=1)


class PauseArranged(Fact, of=PARTICIPATION):
    """A participant will be away: no session is proposed for that time. They do not leave, and say no reason."""

    program: ProgramId
    person: PersonId
    pause: PauseId
    starts: Date
    until: Date | None = Field(None, description="The day they are back, where they know it.")


class PauseCalledOff(Fact, of=PARTICIPATION):
    """A pause is not taken, or ends earlier than was said."""

    program: ProgramId
    person: PersonId
    pause: PauseId


class ParticipationPaused(Fact, of=PARTICIPATION):
    """A pause has begun: every clock of this participant stops."""

    program: ProgramId
    person: PersonId
    pause: PauseId
    until: Date | None = None


class ParticipationResumed(Fact, of=PARTICIPATION):
    """A pause is over. Where another one goes on, the participant is still away."""

    program: ProgramId
    person: PersonId
    pause: PauseId
    effective: Date


class ParticipantWithdrawn(Fact, of=PARTICIPATION):
    """A participant left. There is no cause, and none is kept."""

    program: ProgramId
    person: PersonId
    effective: Date


class RowFault(Word):
    """Why a row of a roster was not taken."""

    missing = "missing"
    """A value that must be there is not."""
    malformed = "malformed"
    """The value has the wrong form (a mail address without `@`, a level that is no number)."""
    not_listed = "not_listed"
    """The value is none of those allowed (a site, a time zone)."""
    duplicate = "duplicate"
    """Another row has the same key."""
    no_such_manager = "no_such_manager"
    """The manager is in no row and was in none before."""
    cycle = "cycle"
    """The reporting line comes back to the person."""
    unknown = "unknown"


class RosterImported(Fact, of=IMPORT):
    """The valid rows of a roster file were taken; the rejected ones are counted here and kept as an encrypted text."""

    roster: ImportId
    file: Digest
    rows: Count
    added: Count
    changed: Count
    unchanged: Count
    rejected: Count
    faults: dict[RowFault, Count] = Field(default_factory=dict)
    content: ContentId | None = Field(None, description="The rejected rows: row, column, code, value.")


class PersonField(Word):
    """What of a person a roster can change."""

    name = "name"
    mail = "mail"
    language = "language"
    subject = "subject"
    level = "level"
    function = "function"
    site = "site"
    zone = "zone"
    line = "line"
    unknown = "unknown"


class PersonAdded(Fact, of=PERSON):
    """A roster named a person for the first time. They take part in nothing yet."""

    person: PersonId
    roster: ImportId
    rev: Rev


class PersonChanged(Fact, of=PERSON):
    """A later roster said something else of a person; what it says now is in the state record at `rev`."""

    person: PersonId
    roster: ImportId
    rev: Rev
    changed: list[PersonField] = Field(min_length=1)


class ErasureRequested(Fact, of=ERASURE):
    """Nothing personal may be kept of a person any more. Whoever keeps something deletes it, and says so.

    It is kept for ever, so that a hearer that was away for a year learns it too. The person's id stays in facts.
    """

    person: PersonId
    programs: list[ProgramId] = Field(description="Every program in which something was kept of them.")
    due: Date = Field(description="The day by which all of it must be gone.")


class ParticipantErased(Fact, of=ERASURE):
    """Every service has deleted what it kept of a person, and enrollment has looked that nothing is left."""

    person: PersonId
    proof: Digest = Field(description="Of what was looked at and what was found, which enrollment keeps.")
