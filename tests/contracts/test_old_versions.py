"""What was published in an older version reads as the newest, and what it never said is not invented on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chassis.deciding.journal import GENESIS, Commit, Event, Meta, chain
from chassis.receiving.views import View
from cli.kept import SAMPLES
from contracts.all import CATALOG
from contracts.fact import Fact
from contracts.upcasts import UPCASTS
from services.insights.service import SERVICE as INSIGHTS
from services.matching.service import SERVICE as MATCHING
from services.scheduling.service import SERVICE as SCHEDULING
from services.scheduling.sessions.session import SESSION
from tests.contracts import kept

pytestmark = pytest.mark.guarantee("G6")
AT = datetime(2027, 3, 18, 15, 20, tzinfo=UTC)
steps = pytest.mark.parametrize(("name", "v"), sorted(UPCASTS), ids=lambda x: str(x))


def sample(name: str, v: int) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SAMPLES / f"{name}.v{v}.json").read_text())["data"]
    return data


def lifted(name: str, v: int, fields: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields one version on; None where the step cannot do it with these."""
    try:
        return dict(UPCASTS[name, v](dict(fields)))
    except Exception:
        return None


def test_there_is_a_second_version() -> None:
    assert kept.OLD and set(kept.OLD) == set(UPCASTS)


@pytest.mark.parametrize(("name", "v"), kept.VERSIONS, ids=lambda x: str(x))
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_newest_model_reads_whatever_any_version_allowed_and_says_it_again(
    name: str, v: int, data: st.DataObject
) -> None:
    fields = data.draw(kept.facts(name, v))
    fact = CATALOG.read(name, v, json.dumps(fields))
    assert type(fact) is CATALOG.facts[name]
    assert CATALOG.read(name, fact.v, fact.encode()) == fact
    if v < fact.v:  # nothing that both versions know has changed on the way
        said = json.loads(fact.encode())
        assert {k: said[k] for k in fields.keys() & said.keys()} == {k: fields[k] for k in fields.keys() & said.keys()}


@steps
def test_a_step_makes_no_required_field_of_nothing(name: str, v: int) -> None:
    made = lifted(name, v, {}) or {}
    assert not made.keys() & set(kept.schema(name, v + 1)["required"]), "these fields come from nowhere"


@steps
def test_a_field_that_is_missing_is_missed_and_never_filled_in(name: str, v: int) -> None:
    whole = sample(name, v)
    full = lifted(name, v, whole)
    assert full is not None
    required = set(kept.schema(name, v + 1)["required"])
    missed = 0
    for size in range(len(whole)):
        for part in combinations(whole, size):
            made = lifted(name, v, {k: whole[k] for k in part})
            if made is None:
                missed += 1
                continue
            assert all(full[k] == value for k, value in made.items() if k in required), f"with {part} only"
    assert missed, "no field is needed for anything"


@steps
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_field_that_is_new_and_required_follows_the_old_ones(name: str, v: int, data: st.DataObject) -> None:
    one, other = data.draw(kept.facts(name, v)), data.draw(kept.facts(name, v))
    new = set(kept.schema(name, v + 1)["required"]) - one.keys()
    gone = one.keys() - kept.schema(name, v + 1)["properties"].keys()
    assume(all(one[k] != other[k] for k in gone))
    before, after = lifted(name, v, one), lifted(name, v, other)
    assert before is not None and after is not None
    assert new and all(before[k] != after[k] for k in new), "two facts that differ have become the same"


def views() -> list[View[Any]]:
    return [v for s in (MATCHING, SCHEDULING, INSIGHTS) for v in s.views]


@pytest.mark.parametrize(("name", "v"), kept.OLD, ids=lambda x: str(x))
def test_views_make_the_same_of_every_version(name: str, v: int) -> None:
    old, new = (CATALOG.read(name, n, json.dumps(sample(name, n))) for n in (v, CATALOG.facts[name].v))
    hearing = [view for view in views() if type(new) in view.hears]
    assert hearing
    for view in hearing:
        assert view.fold(view.row(), old, AT) == view.fold(view.row(), new, AT)


def commits(*said: tuple[str, int]) -> list[Commit]:
    """The journal of one session as a release of that time wrote it."""
    stream = SESSION.category.stream(sample(*said[0])["program"], sample(*said[0])["session"])
    made: list[Commit] = []
    same = {k: sample(*said[-1])[k] for k in ("program", "session", "pair", "number")}
    for n, (name, v) in enumerate(said, 1):
        event = Event(name, v, json.dumps(sample(name, v) | same, separators=(",", ":")))
        before = made[-1].digest if made else GENESIS
        made.append(Commit(f"c{n}", stream, n, f"x{n}", "b", before, AT, Meta("test"), (event,)))
    return made


def test_an_aggregate_folds_the_journal_of_an_older_release_and_no_byte_of_it_changes() -> None:
    old, new = (
        commits(("SessionProposed", 1), ("SessionScheduled", 1), ("SessionHeld", v))
        for v in (1, CATALOG.facts["SessionHeld"].v)
    )
    states = []
    for journal in (old, new):
        stored = [c.document(pending=False) for c in journal]
        facts: list[Fact] = [f for doc in stored for f in Commit.from_document(doc).facts(CATALOG)]
        states.append(SESSION.fold(facts))
        assert [Commit.from_document(doc).document(pending=False) for doc in stored] == stored
        for c in journal:
            assert c.digest == chain(c.previous, c.stream, c.first, c.at, c.events)
    assert states[0] == states[1] and states[0].state == "held"
    assert '"held":"' in old[-1].events[0].data and '"start":"' in new[-1].events[0].data
