"""Small files written at once or not at all."""

import os
import secrets
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
"""The folder this copy of the project lives in."""


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace the file at once: a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def write_private(path: Path, text: str) -> None:
    """The same, readable by its owner only."""
    write(path, text, 0o600)
