"""The AsyncAPI document: the official parser has nothing against it, and it says what is really sent, all of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cli import asyncapi, catalog, kept
from cli.entries import entries
from cli.schemas import STATES
from contracts.all import CATALOG
from contracts.streams import Audience
from tests.contracts.node.packages import installed, node

Node = dict[str, Any]
CHECKS = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def document() -> Node:
    found: Node = yaml.safe_load(catalog.ASYNCAPI.read_text())
    return found


BROKEN: dict[str, Callable[[Node], object]] = {
    "a reference to nothing": lambda d: d["channels"]["matching.events"]["messages"].update(
        PairFormed={"$ref": "#/components/messages/Nothing"}
    ),
    "an operation on what its channel has not": lambda d: d["operations"]["say.matching.events"]["messages"].append(
        {"$ref": "#/channels/insights.events/messages/ThemePublished"}
    ),
    "an unknown mechanism": lambda d: d["components"]["securitySchemes"]["scram"].update(type="scramSha1024"),
    "a setting of the wrong type": lambda d: d["channels"]["matching.events"]["bindings"]["kafka"].update(partitions=0),
}


@pytest.fixture(scope="module")
def parsed(document: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Node]:
    """What the official parser says of the document, under "", and of each broken one."""
    folder = tmp_path_factory.mktemp("asyncapi")
    variants = {"": document}
    for kind, harm in BROKEN.items():
        variants[kind] = copy.deepcopy(document)
        harm(variants[kind])
    paths = [folder / f"{n}.json" for n in range(len(variants))]
    for path, variant in zip(paths, variants.values(), strict=True):
        path.write_text(json.dumps(variant))
    paths[0] = catalog.ASYNCAPI
    lines = node(installed(CHECKS), "asyncapi.mjs", *paths).splitlines()
    return {kind: json.loads(line) for kind, line in zip(variants, lines, strict=True)}


@pytest.mark.guarantee("running")
def test_the_official_parser_reads_all_of_it_and_has_nothing_against_it(
    document: Node, parsed: dict[str, Node]
) -> None:
    assert parsed[""]["found"] == []
    said = {kind: len(document[kind]) for kind in ("servers", "channels", "operations")}
    messages = len(document["components"]["messages"])
    assert parsed[""]["summary"] == said | {"version": "3.1.0", "messages": messages, "examples": 2 * messages}
    assert messages > 50 and said["channels"] >= 10


@pytest.mark.parametrize("kind", BROKEN)
def test_the_parser_finds_what_is_broken(parsed: dict[str, Node], kind: str) -> None:
    assert parsed[kind]["found"], "nothing"


def test_every_fact_on_a_topic_is_in_it_and_no_sealed_one(document: Node) -> None:
    public = {f.__name__ for f in CATALOG.facts.values() if f.category.audience is not Audience.sealed}
    sealed = CATALOG.facts.keys() - public
    messages = document["components"]["messages"]
    assert {name.partition(".")[0] for name in messages} == public | {state.__name__ for state in STATES}
    assert {name for name in messages if ".v" in name} == {
        f"{f.__name__}.v{v}" for f in CATALOG.facts.values() for v in range(1, f.v)
    }
    text = catalog.ASYNCAPI.read_text()
    assert sealed and not any(f"title: {name}\n" in text or f"/{name}'" in text for name in sealed)


def test_a_message_says_what_a_stranger_asks(document: Node) -> None:
    for name, message in document["components"]["messages"].items():
        assert message["summary"] and message["x-is-not"].startswith("Not "), name
        for key in ("audience", "owner", "key", "ordering", "retention", "since", "status", "fields-version"):
            assert message[f"x-{key}"], (name, key)
        assert message["x-is-not"] in message["description"]
        one, other = message["examples"]
        assert one["payload"] != other["payload"]


def channel_of(document: Node, name: str) -> Node:
    (found,) = [c for c in document["channels"].values() if name in c["messages"]]
    return dict(found)


def test_a_message_is_on_the_topic_of_its_samples_and_its_examples_are_they(document: Node) -> None:
    for name, message in document["components"]["messages"].items():
        stem = name if ".v" in name else f"{name}.v{message['x-fields-version']}"
        channel = channel_of(document, name)
        samples = kept.samples(stem)
        assert {sample["topic"] for sample in samples} == {channel["address"]}
        assert [e["payload"] for e in message["examples"]] == [sample["data"] for sample in samples]
        assert [e.get("headers") for e in message["examples"]] == [sample.get("headers") for sample in samples]
        assert message["x-audience"] == channel["x-audience"]


def test_the_payload_is_the_published_schema(document: Node) -> None:
    """Whatever fits one fits the other, and what does not fit one does not fit the other: all samples, all damaged.

    The parser does not hold examples against their schemas; this does.
    """
    components = {"components": document["components"]}
    for name, message in document["components"]["messages"].items():
        ours = Draft202012Validator(message["payload"] | components)
        stem = name if ".v" in name else f"{name}.v{message['x-fields-version']}"
        published = Draft202012Validator(kept.today_schema(stem))
        for sample in kept.samples(stem):
            assert ours.is_valid(sample["data"])
            for field in sample["data"]:
                for damaged in (
                    {k: v for k, v in sample["data"].items() if k != field},
                    sample["data"] | {field: [None]},
                    sample["data"] | {field: "NOT IT"},
                ):
                    assert ours.is_valid(damaged) == published.is_valid(damaged), (stem, field)


def test_the_headers_fit_every_sample_and_miss_what_is_taken_away(document: Node) -> None:
    components = {"components": document["components"]}
    for message in document["components"]["messages"].values():
        check = Draft202012Validator(message["headers"] | components)
        for example in message["examples"]:
            if "headers" in example:
                assert check.is_valid(example["headers"])
                for name in example["headers"].keys() - {"ce_causation", "ce_traceparent", "traceparent"}:
                    assert not check.is_valid({k: v for k, v in example["headers"].items() if k != name}), name
                assert not check.is_valid(example["headers"] | {"ce_type": "counterpoint.matching.Other"})


def test_two_things_of_one_name_are_told_apart() -> None:
    told = entries(catalog.hearers())
    both = [e for e in told if e.name in ("PairFormed", "PairReleased")]
    one, other = both[0], both[1]
    for entry, kind in ((one, "string"), (other, "integer")):
        entry.schema.setdefault("$defs", {})["Thing"] = {"type": kind}
        entry.schema["properties"]["thing"] = {"$ref": "#/$defs/Thing"}
    schemas = yaml.safe_load(asyncapi.document(both))["components"]["schemas"]
    kinds = set()
    for entry in (one, other):
        reference = schemas[entry.name]["properties"]["thing"]["$ref"]
        kinds.add(schemas[reference.rpartition("/")[2]]["type"])
    assert kinds == {"string", "integer"}
