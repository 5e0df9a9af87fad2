"""The end of `make sbom`: it says of each image what the image installs, each with its checksums, and no server."""

from __future__ import annotations

import json
import re
import sys

from local.topics import SERVICES
from tests.deploy.manifests import ROOT

NEVER = ("fiftyone", "mongod", "pytest")
"""What no image may have in it: servers under the SSPL, and what is for development."""


def main() -> int:
    """Compare each with its lock; 0 when they say the same."""
    for service in SERVICES:
        bom = json.loads((ROOT / f"dist/sbom/counterpoint-{service}.cdx.json").read_text())
        said = {part["name"]: part for part in bom["components"]}
        locked = set(re.findall(r"^([\w.-]+)==", (ROOT / f"requirements/{service}.txt").read_text(), re.MULTILINE))
        unsure = [name for name, part in said.items() if not _checked(part)]
        wrong = [name for name in said if name.startswith(NEVER)]
        if said.keys() != locked or unsure or wrong or bom["bomFormat"] != "CycloneDX":
            sys.stdout.write(f"{service}: {sorted(said.keys() ^ locked)} differ, {unsure} unsure, {wrong} inside\n")
            return 1
        sys.stdout.write(f"{service}: {len(said)} components, as locked\n")
    return 0


def _checked(part: dict[str, object]) -> bool:
    return '"alg": "SHA-256"' in json.dumps(part) and "purl" in part


if __name__ == "__main__":
    sys.exit(main())
