"""Parking: poison stops its own stream only, and what an operator lets go on ends as if it had never been parked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from chassis.receiving.folding import NotDropped
from chassis.receiving.records import Heard
from tests.chassis.parking import FAULTS, FOLD, TASK, Poison, World, never_parked, planted

STREAMS, VERSIONS = 3, 5
SEARCH = settings(max_examples=3000, database=None, derandomize=True, deadline=None)
PROVE = settings(max_examples=500, database=None, derandomize=True, deadline=None)


@dataclass(frozen=True)
class Plan:
    """What comes in which batches, what is poison, and how owner and operator take turns."""

    batches: list[list[tuple[int, int]]]
    poison: Poison
    operator: list[int]
    turns: list[bool]

    @property
    def facts(self) -> set[tuple[int, int]]:
        return {fact for batch in self.batches for fact in batch}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Every version of every stream comes at least once, in any order, some again."""
    lengths = draw(st.lists(st.integers(1, VERSIONS), min_size=2, max_size=STREAMS))
    every = [(s, v) for s, length in enumerate(lengths) for v in range(1, length + 1)]
    order = draw(st.sampled_from(["kept", "any"]))
    first = draw(st.permutations(every)) if order == "any" else _merged(draw, lengths)
    for again in draw(st.lists(st.sampled_from(every), max_size=4)):
        first.insert(draw(st.integers(0, len(first))), again)
    cuts = sorted(draw(st.sets(st.integers(1, len(first)), min_size=1, max_size=6)) | {0, len(first)})
    batches = [first[a:b] for a, b in pairwise(cuts)]
    poison = draw(st.dictionaries(st.sampled_from(every), st.sampled_from([FOLD, TASK]), min_size=1, max_size=3))
    operator = draw(st.lists(st.sampled_from([s for s, _ in poison] or [0]), min_size=2, max_size=8))
    turns = draw(st.integers(0, 2**24 - 1))
    return Plan(batches, poison, operator, [bool(turns >> n & 1) for n in range(24)])


def _merged(draw: st.DrawFn, lengths: list[int]) -> list[tuple[int, int]]:
    """The streams merged so that each keeps its order, as Kafka has them."""
    turns = draw(st.permutations([s for s, length in enumerate(lengths) for _ in range(length)]))
    said: Counter[int] = Counter()
    merged = []
    for s in turns:
        said[s] += 1
        merged.append((s, said[s]))
    return merged


def heard(world: World, batch: list[tuple[int, int]]) -> list[Heard]:
    return [world.parts.fact(*fact) for fact in batch]


def draining_meets_arriving(plan: Plan, seen: Counter[str]) -> None:
    """Poison parks streams; then a mended release: facts go on arriving while an operator tries the streams again."""
    world = World(plan.poison)
    half = (len(plan.batches) + 1) // 3
    for batch in plan.batches[:half]:
        world.now(world.batch(heard(world, batch)))
        world.check_counts()
    world.mend()
    arriving = [world.batch(heard(world, batch)) for batch in plan.batches[half:]]
    world.interleaved(arriving, [world.retry(s) for s in plan.operator], plan.turns)
    world.check_counts()
    for s in range(STREAMS):
        world.now(world.retry(s))
    world.check_counts()
    expected = never_parked(plan.facts)
    assert world.store.documents == expected.documents
    assert world.store.tasks == expected.tasks
    assert not world.store.rows
    seen.update(world.store.seen)


def poison_isolates(plan: Plan, seen: Counter[str]) -> None:
    """After every batch each stream without poison is where it is in a run without any, and no later."""
    world, clean = World(plan.poison), World({})
    poisoned = {world.parts.stream(s) for s, _ in plan.poison}
    for batch in plan.batches:
        world.now(world.batch(heard(world, batch)))
        clean.now(clean.batch(heard(clean, batch)))
        for stream, doc in clean.store.documents.items():
            if stream not in poisoned:
                assert world.store.documents[stream] == doc
        tasks = {id: row for id, row in clean.store.tasks.items() if row["event"].partition("@")[0] not in poisoned}
        assert tasks.items() <= world.store.tasks.items()
    for s, v in plan.poison:
        doc = world.store.documents[world.parts.stream(s)]
        assert doc["parked"]["reason"] == "failed" and doc["v"] < v
    seen["poison"] += len(plan.poison)
    seen["healthy"] += len(clean.store.documents) - len(poisoned)
    seen.update(world.store.seen)


def dropping_leaves_out_that_alone(plan: Plan, seen: Counter[str]) -> None:
    """Nothing is ever mended: an operator drops what streams stop at, while facts go on arriving."""
    world = World(plan.poison)
    half = (len(plan.batches) + 1) // 3
    for batch in plan.batches[:half]:
        world.now(world.batch(heard(world, batch)))
    arriving = [world.batch(heard(world, batch)) for batch in plan.batches[half:]]
    world.interleaved(arriving, [world.drop(s) for s in plan.operator], plan.turns)
    for _ in range(VERSIONS):
        for s in range(STREAMS):
            world.now(world.drop(s))
    world.check_counts()
    assert not world.store.rows
    for s in {s for s, _ in plan.facts}:
        versions = [v for t, v in sorted(plan.facts) if t == s]
        doc = world.store.documents[world.parts.stream(s)]
        kept = [v for v in versions if (s, v) not in plan.poison]
        assert (doc["v"], doc.get("parked")) == (versions[-1], None)
        assert doc["doc"] == {"amount": sum(s * 100 + v for v in kept), "facts": len(kept)}
    events = {row["event"] for row in world.store.tasks.values()}
    assert events == {f"{world.parts.stream(s)}@{v}" for s, v in plan.facts - plan.poison.keys()}
    assert set(world.dropped) == {(world.parts.stream(s), v) for s, v in plan.poison}
    seen["dropped"] += len(plan.poison)
    seen.update(world.store.seen)


def prove(law: Callable[[Plan, Counter[str]], None]) -> Counter[str]:
    """Hold a law against many plans; answers how often what happened."""
    seen: Counter[str] = Counter()

    @PROVE
    @given(plans())
    def holds(plan: Plan) -> None:
        law(plan, seen)

    holds()
    return seen


@pytest.mark.guarantee("G7")
def test_draining_and_arriving_in_any_order_end_as_if_never_parked() -> None:
    seen = prove(draining_meets_arriving)
    assert seen["conflicts"] > 20 and seen["parked"] > 500 and seen["drained"] > 500, seen


@pytest.mark.guarantee("G7")
def test_poison_anywhere_delays_no_other_stream() -> None:
    seen = prove(poison_isolates)
    assert seen["poison"] > 300 and seen["healthy"] > 300 and seen["parked"] > 300, seen


@pytest.mark.guarantee("G7")
def test_a_drop_leaves_out_what_it_names_and_nothing_else() -> None:
    seen = prove(dropping_leaves_out_that_alone)
    assert seen["dropped"] > 300 and seen["conflicts"] > 20, seen


CAUGHT_BY = {
    "parking does not write the document": draining_meets_arriving,
    "draining forgets a row before it is applied": dropping_leaves_out_that_alone,
    "draining goes on past what fails": dropping_leaves_out_that_alone,
    "what comes to a parked stream is applied": draining_meets_arriving,
    "a fold that raises fails its batch": poison_isolates,
    "poison parks the streams of its batch": poison_isolates,
    "conflicts are not seen": draining_meets_arriving,
}


@pytest.mark.guarantee("G7")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    law = CAUGHT_BY[fault]

    def breaks(plan: Plan) -> bool:
        try:
            law(plan, Counter())
        except (AssertionError, KeyError, RuntimeError):
            return True
        return False

    with planted(fault):
        plan = find(plans(), breaks, settings=SEARCH)
    assert not breaks(plan), "the plan breaks the law without the fault as well"


@pytest.mark.guarantee("G12")
def test_a_rewritten_version_waits_until_it_is_dropped() -> None:
    world = World({})
    one, two, three, other = (world.parts.fact(0, v) for v in (1, 2, 3, 4))
    false = world.parts.fact(0, 2, copy=1)
    world.now(world.batch([one, two, false, three]))
    world.now(world.batch([false, other]))
    (doc,) = world.store.documents.values()
    assert (doc["v"], doc["parked"]["reason"], doc["parked"]["waiting"]) == (2, "rewritten", 3)
    world.now(world.retry(0))
    (doc,) = world.store.documents.values()
    assert (doc["v"], doc["parked"]["reason"]) == (2, "rewritten")
    world.now(world.drop(0))
    (doc,) = world.store.documents.values()
    assert (doc["v"], doc.get("parked"), doc["digest"]) == (4, None, other.envelope.digest)
    assert world.dropped == [(false.envelope.stream, 2)] and not world.store.rows


@pytest.mark.guarantee("G12")
def test_two_copies_of_what_waits_are_noticed_when_it_goes_on() -> None:
    world = World({})
    one, two, three = (world.parts.fact(0, v) for v in (1, 2, 3))
    false = world.parts.fact(0, 2, copy=1)
    world.now(world.batch([two]))
    world.now(world.batch([false, three]))
    world.now(world.batch([false]))
    world.now(world.batch([one]))
    (doc,) = world.store.documents.values()
    assert (doc["v"], doc["digest"]) == (2, two.envelope.digest)
    assert (doc["parked"]["reason"], doc["parked"]["version"], doc["parked"]["waiting"]) == ("rewritten", 2, 2)
    world.now(world.drop(0))
    (doc,) = world.store.documents.values()
    assert (doc["v"], doc.get("parked")) == (3, None)


@pytest.mark.guarantee("G7")
def test_only_what_a_stream_stopped_at_can_be_dropped_and_a_gap_never() -> None:
    world = World({(0, 2): FOLD})
    world.now(world.batch(heard(world, [(0, 1), (0, 2), (0, 3), (1, 2)])))
    poisoned, gap = world.parts.stream(0), world.parts.stream(1)
    for stream, version, told in ((poisoned, 3, "stopped at version 2"), (gap, 1, "when the version comes")):
        waiting = [row for row in world.store.rows.values() if row["stream"] == stream]
        folding = world.parts.folding({stream: dict(world.store.documents[stream])}, {stream: waiting}, 9)
        with pytest.raises(NotDropped, match=told):
            folding.drop(stream, version)
        assert not folding.changed and not folding.drained


@pytest.mark.guarantee("G7")
def test_a_retry_that_fails_again_keeps_everything_but_the_error() -> None:
    world = World({(0, 2): FOLD})
    world.now(world.batch(heard(world, [(0, 1), (0, 2), (0, 3)])))
    stream = world.parts.stream(0)
    before, rows = world.store.documents[stream], dict(world.store.rows)
    world.parts.poison[0, 2] = TASK
    world.now(world.retry(0))
    after = world.store.documents[stream]
    assert after["parked"]["detail"] == "RuntimeError: poison in 2" != before["parked"]["detail"]
    assert {**after, "parked": {**after["parked"], "detail": ""}} == {
        **before,
        "parked": {**before["parked"], "detail": ""},
    }
    assert world.store.rows == rows and world.store.tasks.keys() == {f"echo_it:{stream}@1"}
