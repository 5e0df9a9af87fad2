"""Every query that the services asked of the real database: of which scope it is, and along which index it goes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from chassis.receiving.views import LARGEST_PAGE
from local.topics import SERVICES
from tests.programs import walk
from tests.programs.asked import Query, Shape
from tests.programs.conftest import Lives
from tests.programs.house import House

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("G9")]

SCOPED = {"journal": "stream", "views": "_id", "documents": "_id", "contents": "_id", "latest": "_id"}
"""The collections that programs share, without the number of their version; each with the field that names one thing,
beginning with its scope."""
NAMED = re.compile(r"(?:[a-z.-]+[|:/])?(?:org|pr_[a-z2-7]{26})/")
"""A name or the id of a document: perhaps what kind it is, then the scope."""
PERSON = re.compile(r"(?:counterpoint\.enrollment\.people\||people:)pe_[a-z2-7]{26}")
"""People span programs: their records have no other name than theirs."""

RELAY = "one relay publishes what is pending, in the order of keys, whoever's it is"
OPERATORS = "operators and monitoring ask for what is stuck in the whole service"
HEAL = "whether the journal has what Kafka was told last: commits by their id"
PROCESS_WIDE: dict[tuple[str, str], str] = {
    ("journal", "{pending: _}"): RELAY,
    ("journal", "{_id: {$in: []}}"): RELAY + "; " + HEAL,
    ("latest", "{dirty: _}"): RELAY,
    ("views", "{parked.since: {$exists: _}}"): OPERATORS,
    ("views", "{parked.since: {$exists: _}, parked.needs: {$in: []}}"): "what waited for this release goes on",
}
"""The queries of shared collections that name no scope, and why each may."""

BOOKKEEPING = {
    "checkpoints": "how far each partition was heard",
    "inboxes": "which version of the views is read",
    "leases": "which relay works",
    "marks": "what Kafka has, to compare with",
    "tasks": "the runner takes what is due, whoever's it is; each row has its scope",
    "parked": "what waits, in the order of its stream's versions; the name of the stream begins with the scope",
    "drops": "what operators let go, and why",
    "cuts": "of whom nothing may be kept, by the id of a person or a program",
}
"""The collections of a process's own: what is asked of them is about no program."""
SMALL = ("checkpoints", "inboxes", "leases", "marks")
"""Those of them with no more documents than there are partitions and processes: they may be read without an index."""

MOST_KEYS_A_RESULT = 3
KEYS_FOR_NOTHING = 30
"""A query may look at so many keys for each document it answers, and at so many more."""


@pytest.fixture(scope="module")
def shapes(services: House, lives: Lives) -> dict[Shape, list[Query]]:
    """What was asked while three programs lived and everybody read everything."""
    assert len(services.asked.samples) > 100 and services.asked.times.total() > 5000
    asked = {shape.collection for shape in services.asked.samples}
    assert {_plain(name) for name in asked} <= SCOPED.keys() | BOOKKEEPING.keys()
    return dict(services.asked.samples)


def test_every_query_of_what_programs_share_begins_with_the_scope(shapes: dict[Shape, list[Query]]) -> None:
    scoped, wide = 0, set()
    for shape, samples in shapes.items():
        collection = _plain(shape.collection)
        if collection not in SCOPED:
            continue
        if (collection, shape.filter) in PROCESS_WIDE:
            wide.add((collection, shape.filter))
            continue
        for query in samples:
            assert _has_its_scope(query.filter, SCOPED[collection]), f"{shape}: {query.filter}"
            scoped += 1
    assert scoped > 60
    assert wide == PROCESS_WIDE.keys()  # what is not asked any more needs no reason


def _has_its_scope(filter: Mapping[str, Any], named_by: str) -> bool:
    """Whether the first thing that a filter says is a scope, or the name of something in one."""
    first = next(iter(filter), "")
    if first == "scope":
        return isinstance(filter["scope"], str) and bool(filter["scope"])
    return first == named_by and all(NAMED.match(name) or PERSON.match(name) for name in _names(filter[first]))


def _names(value: Any) -> list[str]:
    """The names that a filter gives of one field: one, several, or where a range begins and ends."""
    if isinstance(value, str):
        return [value]
    if set(value) == {"$in"}:
        return list(value["$in"])
    assert set(value) == {"$gte", "$lt"} and value["$lt"].startswith(value["$gte"]), value
    return [value["$gte"]]


def test_every_query_goes_along_an_index_that_begins_with_its_scope(
    services: House, shapes: dict[Shape, list[Query]]
) -> None:
    explained, wrong = 0, set()
    with services.root() as client:
        for shape, samples in shapes.items():
            for query in [*samples, *_with_longest_lists(samples[-1])]:
                plan = _explained(client[shape.database], shape.collection, query)
                wrong |= {f"{shape}: {what}" for what in _faults(shape, plan)}
                explained += 1
    assert not wrong, "\n".join(sorted(wrong))
    assert explained > 200


def _faults(shape: Shape, plan: dict[str, Any]) -> Iterator[str]:
    """What is wrong with how a query was answered."""
    collection, stages = _plain(shape.collection), list(_stages(plan))
    names = {stage["stage"] for stage in stages}
    keys = [list(stage["keyPattern"]) for stage in stages if "keyPattern" in stage]
    if collection not in SMALL and names & {"COLLSCAN", "SORT"}:
        yield f"{sorted(names)} along {keys}"
    if collection in SCOPED and (collection, shape.filter) not in PROCESS_WIDE:
        if {key[0] for key in keys} - {"scope", "_id", "stream"}:
            yield f"along {keys}"
        examined, returned = (plan["executionStats"][name] for name in ("totalKeysExamined", "nReturned"))
        if examined > MOST_KEYS_A_RESULT * returned + KEYS_FOR_NOTHING:
            yield f"{examined} keys examined for {returned} documents"


def _explained(database: Any, collection: str, query: Query) -> dict[str, Any]:
    find = {"find": collection, "filter": dict(query.filter), "sort": dict(query.sort), "limit": query.limit}
    find |= {"hint": query.hint} if query.hint else {}
    answer: dict[str, Any] = database.command("explain", find, verbosity="executionStats")
    return answer


def _stages(plan: Any) -> Iterator[dict[str, Any]]:
    """Every stage of the plan that won, those of sub-plans included."""
    if isinstance(plan, dict):
        if "stage" in plan:
            yield plan
        for name, part in plan.items():
            if name not in ("rejectedPlans", "executionStats", "command"):
                yield from _stages(part)
    elif isinstance(plan, list):
        for part in plan:
            yield from _stages(part)


def _with_longest_lists(query: Query) -> Iterator[Query]:
    """The same with lists as long as a page can make them: a sort that was merged must not become one in memory."""
    filter = dict(query.filter)
    for name, value in filter.items():
        if isinstance(value, dict) and value.keys() == {"$in"} and isinstance(value["$in"][0], str):
            more = [f"{value['$in'][0]}{n}" for n in range(LARGEST_PAGE)]
            yield Query({**filter, name: {"$in": more}}, query.sort, query.limit, query.hint)


def test_every_index_of_what_programs_share_begins_with_the_scope(services: House, lives: Lives) -> None:
    """Or with the name of a stream, which does; those of the relay's and the operators' own lists begin otherwise."""
    begin = {}
    with services.root() as client:
        for service in SERVICES:
            for name in client[f"counterpoint_{service}"].list_collection_names():
                for index in client[f"counterpoint_{service}"][name].list_indexes():
                    if _plain(name) in SCOPED:
                        begin[service, name, index["name"]] = next(iter(index["key"]))
    others = {(_plain(name), index) for (_, name, index), key in begin.items() if key not in ("scope", "stream", "_id")}
    erasing = {("contents", "about"), ("latest", "erased")}
    assert others == {("journal", "pending"), ("latest", "dirty"), ("views", "parked since"), *erasing}
    assert len(begin) > 40


def test_every_index_of_a_view_is_asked_for(services: House, shapes: dict[Shape, list[Query]]) -> None:
    """An index for a question that nobody asks costs every fact that is heard."""
    asked, made = set(), set()
    for shape, samples in shapes.items():
        if _plain(shape.collection) != "views":
            continue
        filter = samples[0].filter
        fields = [name.removeprefix("doc.") for name in filter if name.startswith("doc.")]
        fields += [",".join([*fields, name.removeprefix("doc.")]) for name in shape.sort if name.startswith("doc.")]
        asked |= {(shape.database, f"{filter['view']} by {field}") for field in fields}
    with services.root() as client:
        for service in SERVICES:
            database = client[f"counterpoint_{service}"]
            made |= {(database.name, index["name"]) for index in database["views_v1"].list_indexes()}
    usual = {(f"counterpoint_{service}", name) for service in SERVICES for name in ("_id_", "rows", "parked since")}
    assert made - asked == usual and len(made) > 20


def test_the_queries_are_those_of_the_whole_interface(services: House, lives: Lives) -> None:
    """Everything that can be read was read, by everybody: otherwise there could be queries nobody has seen."""

    async def named() -> set[str]:
        async with walk.Caller(services) as caller:
            return {o.name for o in await caller.operations() if o.method == "GET" and "{program}" in o.path}

    read = {name for name, _ in lives.answers["a"]}
    assert read == asyncio.run(named()) and len(read) > 15


def _plain(collection: str) -> str:
    """The name of a collection without a version."""
    return collection.partition("_v")[0]
