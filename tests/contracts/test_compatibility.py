"""No schema breaks a subscriber of any release: each kind of breaking change is planted and caught; none is made."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import compatibility, kept
from cli.compatibility import LIVE, NEITHER, REPLAY, Break, breaks
from cli.kept import Release

Node = dict[str, Any]

OLD: Node = {
    "title": "CatFed",
    "x-service": "pets",
    "x-category": "cat",
    "x-audience": "public",
    "x-topic": "counterpoint.pets.events",
    "type": "object",
    "properties": {
        "cat": {"type": "string", "pattern": "^ca_[a-z2-7]{26}$"},
        "grams": {"type": "integer", "minimum": 1, "maximum": 500},
        "food": {"$ref": "#/$defs/Food"},
        "on": {"type": "string", "format": "date"},
        "minutes": {"type": "integer", "default": 5},
        "bowls": {"type": "array", "items": {"$ref": "#/$defs/Bowl"}, "minItems": 1, "maxItems": 3},
        "likes": {
            "type": "object",
            "propertyNames": {"$ref": "#/$defs/Food"},
            "additionalProperties": {"type": "integer"},
        },
    },
    "required": ["cat", "grams", "food", "on", "bowls"],
    "$defs": {
        "Food": {"type": "string", "enum": ["fish", "bird"]},
        "Bowl": {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]},
    },
}


def f(schema: Node, name: str) -> Node:
    """A field of the schema."""
    found: Node = schema["properties"][name]
    return found


def added(schema: Node, name: str, required: bool) -> None:
    schema["properties"][name] = {"type": "integer"}
    schema["required"] += [name] * required


def gone(schema: Node, name: str) -> Any:
    schema["required"] = [r for r in schema["required"] if r != name]
    return schema["properties"].pop(name)


PLANTED: dict[str, tuple[Callable[[Node], object], str, str, set[str]]] = {
    "new required": (lambda s: added(s, "mood", True), "mood", "new and required", {REPLAY}),
    "required removed": (lambda s: gone(s, "grams"), "grams", "is gone", {LIVE}),
    "optional removed": (lambda s: gone(s, "minutes"), "minutes", "is gone", {LIVE}),
    "renamed": (
        lambda s: s["properties"].update(seconds=gone(s, "minutes")),
        "minutes",
        "is gone, or has another name",
        {LIVE},
    ),
    "required to optional": (
        lambda s: s["required"].remove("grams"), "grams", "was required and is optional", {LIVE},
    ),
    "optional to required": (
        lambda s: s["required"].append("minutes"), "minutes", "was optional and is required", {REPLAY},
    ),
    "narrowed": (lambda s: f(s, "grams").update(maximum=400), "grams", "maximum was 500 and is 400", {REPLAY}),
    "widened": (lambda s: f(s, "grams").update(maximum=600), "grams", "maximum was 500 and is 600", {LIVE}),
    "bound taken away": (lambda s: f(s, "grams").pop("minimum"), "grams", "minimum was 1 and is nothing", {LIVE}),
    "word removed": (lambda s: s["$defs"]["Food"]["enum"].remove("bird"), "food", "lost bird", {REPLAY}),
    "word added": (lambda s: s["$defs"]["Food"]["enum"].append("mouse"), "food", "says also mouse", {LIVE}),
    "another type": (lambda s: f(s, "minutes").update(type="string"), "minutes", "type was", {LIVE, REPLAY}),
    "integer to number": (lambda s: f(s, "grams").update(type="number"), "grams", "type was", {LIVE}),
    "may be null": (
        lambda s: s["properties"].update(on={"anyOf": [f(s, "on"), {"type": "null"}]}), "on", "format was", {NEITHER},
    ),
    "another format": (lambda s: f(s, "on").update(format="date-time"), "on", "format was", {NEITHER}),
    "no format": (lambda s: f(s, "on").pop("format"), "on", 'was "date" and is nothing', {NEITHER}),
    "another pattern": (lambda s: f(s, "cat").update(pattern="^do_"), "cat", "pattern was", {NEITHER}),
    "another default": (lambda s: f(s, "minutes").update(default=9), "minutes", "default was 5 and is 9", {NEITHER}),
    "more items": (lambda s: f(s, "bowls").update(maxItems=4), "bowls", "maxItems was 3 and is 4", {LIVE}),
    "other items": (lambda s: f(s, "bowls").update(items={"type": "string"}), "bowls[]", "type was", {LIVE, REPLAY}),
    "a group's field removed": (
        lambda s: s["$defs"]["Bowl"].update(properties={}, required=[]), "bowls[].size", "is gone", {LIVE},
    ),
    "a group's new required field": (
        lambda s: added(s["$defs"]["Bowl"], "depth", True), "bowls[].depth", "new and required", {REPLAY},
    ),
    "another key of a map": (
        lambda s: f(s, "likes").update(propertyNames={"type": "string", "enum": ["fish", "bird", "milk"]}),
        "likes{key}", "says also milk", {LIVE},
    ),
    "other values of a map": (
        lambda s: f(s, "likes").update(additionalProperties={"type": "number"}), "likes{}", "type was", {LIVE},
    ),
    "closed": (lambda s: s.update(additionalProperties=False), "", "are not known were allowed", {NEITHER}),
    "a group closed": (
        lambda s: s["$defs"]["Bowl"].update(additionalProperties=False), "bowls[]", "were allowed", {NEITHER},
    ),
    "another topic": (lambda s: s.update({"x-topic": "pets.x"}), "", "x-topic was counterpoint.pets", {NEITHER}),
    "another audience": (lambda s: s.update({"x-audience": "internal"}), "", "x-audience was public", {NEITHER}),
}  # fmt: skip


def planted(change: Callable[[Node], object]) -> Node:
    new = copy.deepcopy(OLD)
    change(new)
    assert new != OLD
    return new


@pytest.mark.guarantee("G6")
@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_of_breaking_change_is_caught_and_named(kind: str) -> None:
    change, field, says, harms = PLANTED[kind]
    found = breaks("CatFed.v1", OLD, planted(change), "1.2.0")
    here = [b for b in found if b.field == field and says in b.change]
    assert here, found
    assert harms <= {b.harm for b in found if b.field == field}
    line = str(here[0])
    assert line.startswith("CatFed version 1") and (not field or f"`{field}`" in line)
    assert "1.2.0" in line and "make version 2" in line and "CONTRIBUTING.md" in line


HARMLESS_BACK = {"optional removed", "closed", "a group closed"}


@pytest.mark.parametrize("kind", sorted(PLANTED.keys() - HARMLESS_BACK))
def test_taking_a_change_back_is_a_change_too(kind: str) -> None:
    change, *_ = PLANTED[kind]
    assert breaks("CatFed.v1", planted(change), OLD, "1.2.0")


@pytest.mark.parametrize(
    "change",
    [
        lambda s: added(s, "mood", False),
        lambda s: added(s["$defs"]["Bowl"], "depth", False),
        lambda s: s.update(description="Said otherwise."),
        lambda s: s["required"].reverse(),
        lambda s: s["$defs"]["Food"]["enum"].reverse(),
        lambda s: (
            s["properties"].update(food=s["$defs"].pop("Food")) or f(s, "likes").update(propertyNames=f(s, "food"))
        ),
    ],
    ids=["optional field", "optional field of a group", "description", "order", "order of words", "no reference"],
)
def test_what_harms_nobody_passes(change: Callable[[Node], object]) -> None:
    assert breaks("CatFed.v1", OLD, planted(change), "1.2.0") == []


@pytest.mark.guarantee("G6")
def test_every_release_is_compared_and_not_only_the_last() -> None:
    with_mood, without = planted(lambda s: added(s, "mood", False)), OLD
    old = [Release("1.0.0", {"CatFed.v1": with_mood}, {}), Release("1.1.0", {"CatFed.v1": without}, {})]
    (found,) = compatibility.gate(old, Release("today", {"CatFed.v1": without}, {}))
    assert (found.release, found.field) == ("1.0.0", "mood")


def test_a_schema_is_kept_for_ever_also_when_there_is_a_newer_version() -> None:
    (found,) = compatibility.gate([Release("1.0.0", {"CatFed.v1": OLD}, {})], Release("today", {"CatFed.v2": OLD}, {}))
    assert "its schema is gone" in str(found)


def test_every_difference_of_real_schemas_is_found() -> None:
    """Each field of each fact, as it is published: taken away, or made something else."""
    seen = 0
    for name, schema in kept.today().schemas.items():
        for field in schema["properties"]:
            less, other = copy.deepcopy(schema), copy.deepcopy(schema)
            gone(less, field)
            other["properties"][field] = {"type": "null"}
            for new in (less, other):
                assert any(b.field.split("[")[0].split(".")[0] == field for b in breaks(name, schema, new, "0"))
                seen += 1
    assert seen > 500


@pytest.mark.guarantee("G6")
def test_nothing_that_was_ever_released_is_broken() -> None:
    old = kept.releases()
    assert old and all(release.schemas and release.samples for release in old)
    assert [str(b) for b in compatibility.gate(old, kept.today())] == []


@pytest.mark.guarantee("G6")
def test_what_was_released_of_an_older_version_stays_word_for_word() -> None:
    new = kept.today()
    for release in kept.releases():
        for stem, schema in release.schemas.items():
            name, _, v = stem.partition(".v")
            if f"{name}.v{int(v) + 1}" in new.schemas:
                assert new.schemas[stem] == schema, f"{stem} is not said any more: nothing about it changes"
                assert new.samples[stem] == release.samples[stem], stem


def test_releases_are_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "RELEASES", tmp_path)
    for version in ("0.10.0", "0.9.1", "1.0.0"):
        kept.keep(Release(version, {"CatFed.v1": OLD}, {}))
    assert [release.version for release in kept.releases()] == ["0.9.1", "0.10.0", "1.0.0"]


def test_a_release_is_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept, "RELEASES", tmp_path)
    monkeypatch.setattr(kept, "project_version", lambda: "3.0.0")
    assert compatibility.main(["--cut"]) == 0
    before = (tmp_path / "3.0.0.json").read_bytes()
    assert json.loads(before)["schemas"]["PairFormed.v1"]["title"] == "PairFormed"
    assert compatibility.main(["--cut"]) == 1
    assert "raise the version in pyproject.toml" in capsys.readouterr().err
    assert (tmp_path / "3.0.0.json").read_bytes() == before


def test_what_breaks_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Break("CatFed.v1", "grams", "is gone", "1.0.0", LIVE)
    monkeypatch.setattr(kept, "RELEASES", tmp_path)
    monkeypatch.setattr(compatibility, "gate", lambda old, new: [broken])
    assert compatibility.main(["--cut"]) == 1
    assert "CatFed version 1 `grams`: is gone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert compatibility.main(["--tuc"]) == 2
