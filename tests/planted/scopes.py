"""Faults in how programs are kept apart, and people within one from taking the same seat or hour."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from chassis.deciding.commands import Commands
from chassis.deciding.decider import Refused
from chassis.receiving import views
from chassis.receiving.views import Views
from chassis.running.auth import Caller, Directory
from contracts.streams import parts
from services.matching import direct, forming, partners
from services.matching.api import proposals
from services.scheduling.tasks import TASKS
from tests.planted import Fault

_APART = "tests/programs/test_apart.py::"
_QUERIES = "tests/programs/test_queries.py::"

_RACES = "tests/programs/test_races.py::"

_QUERY, _MODEL, _FIND, _READ, _RUN = Views._query, views.IndexModel, Directory.find, Commands.read, Commands.run


async def _pairs_of_all_programs(self: Views, name: str, scope: str, where: Any, limit: int, after: Any) -> Any:
    """Forget the scope in the queries of one view."""
    if name != "pairs":
        return await _QUERY(self, name, scope, where, limit, after)
    query = {"view": name} | {f"doc.{field}": value for field, value in (where or {}).items()}
    query |= {"_id": {"$gt": after}} if after else {}
    return await self._documents.find(query).sort("_id", 1).limit(limit).to_list(None)


def _without_scope(keys: Any, **more: Any) -> Any:
    """Leave the scope out of an index."""
    return _MODEL([key for key in keys if key[0] != "scope"], **more)


async def _whoever_anywhere(self: Directory, token: Any, scope: str, views: Views) -> Caller:
    """Take the roles that somebody has in any program for roles in this one."""
    caller = await _FIND(self, token, scope, views)
    if caller.person is None:
        found = await views._documents.find_one({"view": self.profiles.name, "doc.subject": token.subject_hash})
        return await _FIND(self, token, found["scope"], views) if found else caller
    return caller


async def _the_same_thing_anywhere(self: Commands, aggregate: Any, stream: str) -> Any:
    """Read a thing by its id alone where the program has none; persons are in several."""
    state, version = await _READ(self, aggregate, stream)
    _, category, id = parts(stream)
    if version or id.startswith("pe_"):
        return state, version
    other = await self.journal._collection.find_one({"stream": {"$regex": f"/{category}/{id}$"}})
    return await _READ(self, aggregate, other["stream"] if other else stream)


async def _looked_at_first(self: Commands, origin: Any, *on: Any, also: Any = ()) -> Any:
    """Look whether there is a seat and a free hour, then write the rest, and the seat and the hour after it."""
    apart = [o for o in on if o.aggregate.category.name in ("seat", "diary")]
    rest = [o for o in on if o not in apart]
    if not apart or not rest:
        return await _RUN(self, origin, *on, also=also)
    for o in apart:
        state, _ = await _READ(self, o.aggregate, o.stream)
        o.aggregate.decide(o.command, state, self.now())
    outcome = await _RUN(self, origin, *rest, also=also)
    for o in apart:
        with suppress(Refused):
            await _RUN(self, origin.step(o.stream), o)
    return outcome


async def _left_as_it_is(fact: Any, work: Any) -> None:
    """Do nothing about times that have passed."""


def _plant_no_lapse() -> None:
    known = TASKS.by_name["let_lapse"]
    object.__setattr__(known, "do", _left_as_it_is)


_PARTNERS = "tests/programs/test_partners.py::"
_FORM = forming.form


def _forget_other_programs() -> None:
    """Let nothing count that was in another program."""
    for module in (partners, direct):
        vars(module)["anywhere"] = lambda rules: False


def _form_without_partners() -> None:
    """Form a pair, and keep nowhere who it is."""

    def form(*arguments: Any) -> Any:
        return tuple(on for on in _FORM(*arguments) if on.aggregate is not partners.PARTNERS)

    forming.form = proposals.form = form  # type: ignore[attr-defined]


FAULTS = [
    Fault(
        "earlier-partners-of-other-programs-do-not-count",
        "G9",
        "services/matching/partners.py",
        _forget_other_programs,
        (
            f"{_PARTNERS}test_whoever_was_a_pair_in_one_program_is_none_in_another_also_at_the_same_moment",
            "tests/spec/matching/test_partners.py::"
            "test_who_were_a_pair_in_another_program_form_none_unless_the_rules_let_them",
        ),
    ),
    Fault(
        "pairs-form-without-their-partners",
        "G9",
        "services/matching/forming.py",
        _form_without_partners,
        (
            f"{_PARTNERS}test_whoever_was_a_pair_in_one_program_is_none_in_another_also_at_the_same_moment",
            "tests/spec/matching/test_partners.py::"
            "test_who_were_a_pair_in_another_program_form_none_unless_the_rules_let_them",
        ),
    ),
    Fault(
        "query-without-scope",
        "G9",
        "chassis/receiving/views.py",
        lambda: setattr(Views, "_query", _pairs_of_all_programs),
        (
            f"{_QUERIES}test_every_query_of_what_programs_share_begins_with_the_scope",
            f"{_APART}test_what_everybody_is_answered_is_what_they_would_be_answered_if_their_program_were_alone",
            f"{_APART}test_no_answer_has_an_id_or_a_word_of_another_program",
        ),
    ),
    Fault(
        "index-without-scope",
        "G9",
        "chassis/receiving/views.py",
        lambda: setattr(views, "IndexModel", _without_scope),
        (
            f"{_QUERIES}test_every_index_of_what_programs_share_begins_with_the_scope",
            f"{_QUERIES}test_every_query_goes_along_an_index_that_begins_with_its_scope",
        ),
    ),
    Fault(
        "roles-of-any-program",
        "G9",
        "chassis/running/auth.py",
        lambda: setattr(Directory, "find", _whoever_anywhere),
        (f"{_APART}test_a_programs_own_people_are_refused_everything_of_another",),
    ),
    Fault(
        "things-by-their-id-alone",
        "G9",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "read", _the_same_thing_anywhere),
        (f"{_APART}test_what_belongs_to_another_program_is_not_found_in_ones_own",),
    ),
    Fault(
        "seats-and-diaries-only-looked-at",
        "running",
        "chassis/deciding/commands.py",
        lambda: setattr(Commands, "run", _looked_at_first),
        (
            f"{_RACES}test_of_many_pairs_that_would_form_at_once_as_many_do_as_there_are_seats",
            f"{_RACES}test_of_many_sessions_at_the_same_hour_of_one_person_one_is_booked",
        ),
    ),
    Fault(
        "passed-times-stay-offered",
        "running",
        "services/scheduling/tasks.py",
        _plant_no_lapse,
        (
            "tests/programs/test_unanswered.py::"
            "test_times_that_pass_unanswered_are_offered_anew_until_it_is_clear_that_nobody_answers",
        ),
    ),
]
