"""`python -m cli.compatibility [--cut]`: whether the schemas break what any release published; keeping a release."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsoncompat import check_compat

from cli import kept
from cli.kept import Release
from cli.schemas import Schema, resolve

HOME = ("x-service", "x-category", "x-audience", "x-topic", "x-key")
"""Where a record is found: whoever subscribes has these in their settings."""
_UNSEEN = ("format", "pattern", "default")
"""Keywords that the checker does not weigh: any change of one is a change."""
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength")
_WEIGHED = ("type", "enum", "const", *_BOUNDS, "minItems", "maxItems", "uniqueItems", "anyOf", "oneOf", "allOf")

LIVE = "a subscriber of {release} would meet what its schema does not allow"
REPLAY = "records that {release} published would not fit any more"
NEITHER = "subscribers of {release} would take it for something else"


@dataclass(frozen=True)
class Break:
    """One incompatible change: of which schema (`<name>.v<version>`), at which field, against which release."""

    schema: str
    field: str
    change: str
    release: str
    harm: str

    def __str__(self) -> str:
        name, _, v = self.schema.partition(".v")
        where = f" `{self.field}`" if self.field else ""
        return (
            f"{name} version {v}{where}: {self.change}; {self.harm.format(release=self.release)}. Take it back, or keep"
            f" version {v} as it is and make version {int(v) + 1}: CONTRIBUTING.md, “Changing a fact”."
        )


def gate(old: list[Release], new: Release) -> list[Break]:
    """Every incompatible change against any of the releases, not only the last: subscribers skip releases."""
    found = []
    for release in old:
        for name, schema in release.schemas.items():
            if name not in new.schemas:
                gone = "its schema is gone, and its records are not"
                found.append(Break(name, "", gone, release.version, REPLAY))
            else:
                found += breaks(name, schema, new.schemas[name], release.version)
    return found


def breaks(name: str, old: Schema, new: Schema, release: str) -> list[Break]:
    """What keeps the new schema from taking the old one's place, each named by its field."""
    found = [
        Break(name, "", f"{key} was {old.get(key)} and is {new.get(key)}", release, NEITHER)
        for key in HOME
        if old.get(key) != new.get(key)
    ]
    found += [Break(name, at, change, release, harm) for at, change, harm in _differences(old, new, old, new, "")]
    for harm, compatible in ((LIVE, _live(old, new)), (REPLAY, _replay(old, new))):
        if not compatible and not any(b.harm is harm for b in found):
            found.append(Break(name, "", "it no longer allows the same", release, harm))
    return found


def _live(old: Schema, new: Schema) -> bool:
    """Whether a reader that knows the old schema takes everything that a writer of the new one says."""
    return bool(check_compat(_text(old), _text(_closed(new)), "serializer"))


def _replay(old: Schema, new: Schema) -> bool:
    """Whether a reader that knows the new schema takes everything that a writer of the old one said."""
    return bool(check_compat(_text(_closed(old)), _text(new), "deserializer"))


def _text(schema: Schema) -> str:
    """What the checker reads: without the schema's own name, to which it would relate every reference."""
    return json.dumps({key: value for key, value in schema.items() if key != "$id"})


def _closed(node: Any) -> Any:
    """The schema as a writer's: it says no field that is not in it."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and "type" in node:
        closed.setdefault("additionalProperties", False)
    return closed


Difference = tuple[str, str, str]
"""Field, change and harm."""


def _differences(old: Schema, new: Schema, olds: Schema, news: Schema, at: str) -> Iterator[Difference]:
    """Where two nodes of the schemas `olds` and `news` differ so that it harms, and what is inside them."""
    old, new = resolve(old, olds), resolve(new, news)
    for key in _UNSEEN:
        if old.get(key) != new.get(key):
            yield at, _changed(key, old, new), NEITHER
    if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
        yield at, "fields that are not known were allowed and are not", NEITHER
    for key in _WEIGHED:
        if old.get(key) != new.get(key):
            yield from _weighed(key, old, new, at)
    yield from _fields(old, new, olds, news, at)
    for key, sign in (("items", "[]"), ("propertyNames", "{key}"), ("additionalProperties", "{}")):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _differences(old[key], new[key], olds, news, at + sign)


def _weighed(key: str, old: Schema, new: Schema, at: str) -> Iterator[Difference]:
    """One keyword's change, weighed by the checker on schemas of nothing else."""
    one, other = ({k: node[k] for k in ("type", key) if k in node} for node in (old, new))
    for harm, compatible in ((LIVE, _live(one, other)), (REPLAY, _replay(one, other))):
        if not compatible:
            yield at, _changed(key, old, new), harm


def _fields(old: Schema, new: Schema, olds: Schema, news: Schema, at: str) -> Iterator[Difference]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        path = f"{at}.{name}".lstrip(".")
        if name not in after:
            yield path, "is gone, or has another name", LIVE
            continue
        if name in needed - needs:
            yield path, "was required and is optional", LIVE
        if name in needs - needed:
            yield path, "was optional and is required", REPLAY
        yield from _differences(before[name], after[name], olds, news, path)
    for name in (after.keys() - before.keys()) & needs:
        yield f"{at}.{name}".lstrip("."), "is new and required", REPLAY


def _changed(key: str, old: Schema, new: Schema) -> str:
    if key == "enum" and key in old and key in new:
        more, fewer = ([w for w in a if w not in b] for a, b in ((new[key], old[key]), (old[key], new[key])))
        words = [f"{what} {', '.join(map(str, some))}" for what, some in (("says also", more), ("lost", fewer)) if some]
        return " and ".join(words)
    said = [json.dumps(node[key], ensure_ascii=False) if key in node else "nothing" for node in (old, new)]
    return f"{key} was {said[0]} and is {said[1]}"


def main(arguments: list[str]) -> int:
    """0: nothing breaks, or the release is kept; 1: something breaks, or it was kept before; 2: used wrongly."""
    if arguments not in ([], ["--cut"]):
        sys.stderr.write("usage: python -m cli.compatibility [--cut]\n")
        return 2
    old, new = kept.releases(), kept.today()
    found = gate(old, new)
    sys.stderr.writelines(f"{each}\n" for each in found)
    compared = sum(len(release.schemas) for release in old)
    versions = ", ".join(release.version for release in old) or "no release"
    sys.stdout.write(f"{compared} schemas of {versions} compared with today's: {len(found)} breaks\n")
    if found or not arguments:
        return 1 if found else 0
    try:
        path = kept.keep(new)
    except FileExistsError as there:
        sys.stderr.write(f"{there.filename} is kept for ever: raise the version in pyproject.toml first\n")
        return 1
    sys.stdout.write(f"{path} keeps {len(new.schemas)} schemas and their samples\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
