"""Every fact ever published stays readable: a golden sample per fact and version, valid, and written again the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from cli.kept import SAMPLES, SCHEMAS
from cli.schemas import STATES, file_name
from contracts.all import CATALOG
from contracts.envelope import Unreadable, from_headers, to_headers
from contracts.fact import Unsayable
from contracts.streams import parts
from contracts.types import StreamVersion

FIRST, MORE = sorted(SAMPLES.glob("*.json")), sorted((SAMPLES / "more").glob("*.json"))
FILES = [*FIRST, *MORE]
STATE_MODELS = {model.__name__: model for model in STATES}
FROM_THE_FUTURE = "Not A Word Yet!"


def named(path: Path) -> tuple[str, int]:
    name, version, _ = path.name.split(".")
    return name, int(version.removeprefix("v"))


def load(path: Path) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads(path.read_text())
    return sample


def compact(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


facts = pytest.mark.parametrize("path", [p for p in FILES if named(p)[0] in CATALOG.facts], ids=label)
states = pytest.mark.parametrize("path", [p for p in FILES if named(p)[0] in STATE_MODELS], ids=label)
everything = pytest.mark.parametrize("path", FILES, ids=label)


def test_every_version_of_every_fact_has_its_sample_and_its_schema() -> None:
    wanted = {f"{name}.v{v}.json" for name, fact in CATALOG.facts.items() for v in range(1, fact.v + 1)}
    wanted |= {file_name(model) for model in STATES}
    assert {p.name for p in FIRST} == wanted
    assert {p.name for p in SCHEMAS.iterdir()} == wanted


def test_whatever_is_published_has_a_second_sample_that_says_something_else() -> None:
    assert {p.name for p in MORE} == {p.name for p in FIRST if "topic" in load(p)}
    for path in MORE:
        one, other = load(SAMPLES / path.name), load(path)
        assert one["data"] != other["data"] and one["topic"] == other["topic"]
        assert one.get("headers", {}).keys() >= other.get("headers", {}).keys()


@everything
def test_a_sample_fits_its_published_schema(path: Path) -> None:
    schema = load(SCHEMAS / path.name)
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator.FORMAT_CHECKER
    Draft202012Validator(schema, format_checker=checker).validate(load(path)["data"])


@everything
def test_the_published_schema_does_not_know_the_word_unknown(path: Path) -> None:
    assert '"unknown"' not in (SCHEMAS / path.name).read_text()


@pytest.mark.guarantee("running")
@facts
def test_a_sample_reads_as_the_newest_model_and_is_written_the_same(path: Path) -> None:
    name, v = named(path)
    text = compact(load(path)["data"])
    fact = CATALOG.read(name, v, text)
    assert type(fact) is CATALOG.facts[name]
    if v == fact.v:
        assert fact.encode() == text
    assert CATALOG.read(name, fact.v, fact.encode()) == fact


@states
def test_a_state_record_is_written_the_same(path: Path) -> None:
    text = compact(load(path)["data"])
    assert STATE_MODELS[named(path)[0]].model_validate_json(text).encode() == text


@facts
def test_a_sample_is_in_the_stream_and_on_the_topic_of_its_category(path: Path) -> None:
    sample, (name, v) = load(path), named(path)
    category = CATALOG.facts[name].category
    scope, in_category, id = parts(sample["stream"])
    assert (scope, in_category) == (CATALOG.read(name, v, compact(sample["data"])).scope, category.name)
    assert id in sample["data"].values()
    assert sample.get("topic") == category.topic
    assert ("headers" in sample) == (category.topic is not None)


@facts
def test_the_headers_of_a_sample_are_read_and_written_the_same(path: Path) -> None:
    sample = load(path)
    if "headers" in sample:
        envelope = from_headers([(k, v.encode()) for k, v in sample["headers"].items()])
        assert {k: v.decode() for k, v in to_headers(envelope)} == sample["headers"]
        assert (envelope.type, envelope.v) == named(path)
        assert envelope.stream == sample["stream"]


def leaves(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all strings."""
    if isinstance(node, str):
        yield at
    elif isinstance(node, dict):
        for key, inner in node.items():
            yield from leaves(inner, (*at, key))
    elif isinstance(node, list):
        for i, inner in enumerate(node):
            yield from leaves(inner, (*at, i))


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for inner in node.values():
            yield from objects(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from objects(inner)


def changed(data: Any, at: tuple[Any, ...], to: Any) -> Any:
    data = copy.deepcopy(data)
    inner = data
    for step in at[:-1]:
        inner = inner[step]
    inner[at[-1]] = to
    return data


def test_a_word_from_the_future_reads_as_unknown_and_cannot_be_said_again() -> None:
    read = 0
    for path in FILES:
        name, v = named(path)
        if name not in CATALOG.facts:
            continue
        data = load(path)["data"]
        for at in leaves(data):
            try:
                fact = CATALOG.read(name, v, compact(changed(data, at, FROM_THE_FUTURE)))
            except Unreadable:
                continue  # an id, a tag, a date: not a list of words
            read += 1
            with pytest.raises(Unsayable, match="unknown"):
                fact.encode()
    assert read >= 30, "no list of words was reached"


@facts
def test_a_field_from_the_future_is_ignored(path: Path) -> None:
    name, v = named(path)
    data = load(path)["data"]
    before = CATALOG.read(name, v, compact(data))
    assert CATALOG.read(name, v, compact(data | {"future": {"deep": [1, "x"]}})) == before
    for inner in objects(data):
        inner["future"] = 1
    CATALOG.read(name, v, compact(data))


@facts
def test_a_missing_field_is_unreadable_unless_it_is_optional(path: Path) -> None:
    name, v = named(path)
    data = load(path)["data"]
    required = load(SCHEMAS / path.name)["required"]
    for field in data:
        text = compact({k: value for k, value in data.items() if k != field})
        if field in required:
            with pytest.raises(Unreadable, match=field):
                CATALOG.read(name, v, text)
        else:
            assert CATALOG.read(name, v, text).encode()


def test_a_record_that_is_not_erased_must_be_whole() -> None:
    for path in FILES:
        name, _ = named(path)
        data = load(path)["data"]
        if name in STATE_MODELS and not data["erased"]:
            model = STATE_MODELS[name]
            needs = model.model_validate(data).needs()
            ids = {k: v for k, v in data.items() if k in ("rev", "program", "person", "kind", "id")}
            assert model.model_validate(ids | {"erased": True}).erased
            for field in needs:
                with pytest.raises(ValidationError, match=field):
                    model.model_validate({k: v for k, v in data.items() if k != field})


def test_stream_versions_in_samples_are_well_formed() -> None:
    after = load(SAMPLES / "PairFormed.v1.json")["data"]["after"]
    assert TypeAdapter(list[StreamVersion]).validate_python(after) and after
