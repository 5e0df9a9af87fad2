"""What is kept of the contracts as files: schemas and samples of every version, and what each release published."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.schemas import Schema

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = ROOT / "contracts" / "schemas"
SAMPLES = ROOT / "contracts" / "samples"
RELEASES = ROOT / "contracts" / "releases"

Sample = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """What one release published: every schema, and samples of it, by `<name>.v<version>`."""

    version: str
    schemas: dict[str, Schema]
    samples: dict[str, list[Sample]]


def samples(stem: str) -> list[Sample]:
    """The sample of one version of a fact or state record, and the second one of whatever is published."""
    files = (SAMPLES / f"{stem}.json", SAMPLES / "more" / f"{stem}.json")
    return [json.loads(path.read_text()) for path in files if path.exists()]


def today_schema(stem: str) -> Schema:
    """The schema of one version, as it is published."""
    found: Schema = json.loads((SCHEMAS / f"{stem}.json").read_text())
    return found


def today() -> Release:
    """What this checkout would publish."""
    schemas = {path.stem: today_schema(path.stem) for path in sorted(SCHEMAS.glob("*.json"))}
    return Release(project_version(), schemas, {stem: samples(stem) for stem in schemas})


def releases() -> list[Release]:
    """Every release that is kept, the oldest first."""
    found = [json.loads(path.read_text()) for path in RELEASES.glob("*.json")]
    found.sort(key=lambda r: tuple(int(part) for part in r["release"].split(".")))
    return [Release(r["release"], r["schemas"], r["samples"]) for r in found]


def keep(release: Release) -> Path:
    """Keep a release's contracts. Raises `FileExistsError`: what is kept stays as it is."""
    path = RELEASES / f"{release.version}.json"
    RELEASES.mkdir(exist_ok=True)
    whole = {"release": release.version, "schemas": release.schemas, "samples": release.samples}
    with path.open("x") as file:
        file.write(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    return path


def project_version() -> str:
    """The release that this checkout becomes."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version
