"""A subscriber built against the first release, knowing only what that published, works with today's records."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cli.contract_changes import changelog
from cli.entries import Entry, entries
from cli.kept import Release, releases, samples, today
from contracts.all import CATALOG
from contracts.profiles import Person, Profile, Reference
from tests.contracts import kept

FIRST, TODAY = releases()[0], today()
Sample = dict[str, Any]
STATES = {state.__name__: state for state in (Person, Profile, Reference)}


class Subscriber:
    """What somebody wrote when there was one release: by its schemas and samples, and the rules of subscribing."""

    def __init__(self, release: Release) -> None:
        self.checks = {stem: Draft202012Validator(schema) for stem, schema in release.schemas.items()}
        self.topics = {schema["x-topic"] for schema in release.schemas.values() if "x-topic" in schema}
        self.last: dict[str, int] = {}

    def hear(self, record: Sample) -> str:
        """Take a record in; answers what became of it. Raises where it is not what was promised."""
        assert record["topic"] in self.topics
        ce = record.get("headers", {})
        if "ce_id" not in ce:
            return "not a fact"
        subject, sequence = ce["ce_subject"], int(ce["ce_sequence"])
        assert ce["ce_id"] == f"{subject}@{sequence}"
        if sequence <= self.last.get(subject, 0):
            return "a repeat"
        self.last[subject] = sequence
        *_, name, v = ce["ce_dataschema"].split(":")
        assert ce["ce_type"].rpartition(".")[2] == name
        if f"{name}.v{v}" not in self.checks:
            return "not for me yet"
        self.checks[f"{name}.v{v}"].validate(record["data"])
        return "taken"


def records() -> list[Sample]:
    return [sample for stem in TODAY.schemas for sample in TODAY.samples[stem] if "topic" in sample]


@pytest.mark.guarantee("G6")
def test_it_takes_every_record_of_today_that_it_knows_and_passes_over_the_others() -> None:
    became = {}
    for record in records():
        answers = [(one := Subscriber(FIRST)).hear(record), one.hear(record)]
        if "headers" in record:
            stem = f"{record['headers']['ce_type'].rpartition('.')[2]}.v{record['headers']['ce_dataschema'][-1]}"
            became[stem] = answers
    assert {stem for stem, answers in became.items() if answers == ["taken", "a repeat"]} >= {
        stem for stem in FIRST.schemas if any("headers" in sample for sample in FIRST.samples[stem])
    }
    assert all(answers[0] == "not for me yet" for stem, answers in became.items() if stem not in FIRST.schemas)


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("stem", sorted(FIRST.schemas))
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_whatever_todays_schemas_allow_is_what_it_expects(stem: str, data: st.DataObject) -> None:
    name, _, v = stem.partition(".v")
    if name in STATES:
        return  # personal records: no subscriber of ours
    fields = data.draw(kept.facts(name, int(v)))
    Draft202012Validator(FIRST.schemas[stem]).validate(fields)


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("stem", sorted(FIRST.schemas))
def test_whatever_the_first_release_said_is_read_today(stem: str) -> None:
    name, _, v = stem.partition(".v")
    for sample in FIRST.samples[stem]:
        Draft202012Validator(TODAY.schemas[stem]).validate(sample["data"])
        text = json.dumps(sample["data"])
        if name in STATES:
            assert STATES[name].model_validate_json(text)
        else:
            assert CATALOG.read(name, int(v), text)


@pytest.mark.guarantee("G6")
def test_the_headers_of_the_first_release_are_all_still_there() -> None:
    for stem, before in FIRST.samples.items():
        for old, new in zip(before, samples(stem), strict=True):
            assert old.get("headers", {}).keys() <= new.get("headers", {}).keys(), stem


def test_it_would_notice() -> None:
    lost, moved = (copy.deepcopy(TODAY.samples["PairFormed.v1"][0]) for _ in range(2))
    del lost["data"]["mentor"]
    moved["topic"] = "counterpoint.pairs.events"
    for broken in (lost, moved):
        with pytest.raises(Exception, match=r"mentor|topic|pairs"):
            Subscriber(FIRST).hear(broken)


def test_what_changed_is_in_the_changelog() -> None:
    told = entries({name: [] for name in CATALOG.facts})
    older = copy.deepcopy(FIRST)
    del older.schemas["SessionHeld.v2"], older.schemas["PairFormed.v1"]
    del older.schemas["PairReleased.v1"]["properties"]["cause"]
    before = Release("0.0.9", older.schemas, {})
    lines = changelog(told, [before, FIRST]).splitlines()
    released = lines[lines.index("## 0.1.0") : lines.index("## 0.0.9")]
    assert (
        "* **SessionHeld** version 2 takes the place of version 1: it says `start` and says no more `held`." in released
    )
    assert any(line.startswith("* **PairFormed** is new (public): A mentor and an executive") for line in released)
    assert any(line.startswith("* **PairReleased** says `cause` also: `completed`") for line in released)
    assert len([line for line in released if line.startswith("* ")]) == 3
    assert lines.index("## Unreleased") < lines.index("## 0.1.0")


def test_a_release_in_which_nothing_changed_says_so() -> None:
    told: list[Entry] = entries({name: [] for name in CATALOG.facts})
    text = changelog(told, [FIRST, Release("0.2.0", TODAY.schemas, {})])
    assert "## Unreleased\n\nNothing changed." in text
