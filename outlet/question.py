"""What somebody wants to hear: which types of facts, of which programs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from contracts.envelope import Envelope
from contracts.streams import ORG

ALWAYS = frozenset({"ErasureRequested"})
"""Handed over whatever was asked for: whoever keeps anything of a person has to delete it then."""


@dataclass(frozen=True)
class Question:
    """None for every type, or every program. What spans programs (`org`) belongs to each of them."""

    types: frozenset[str] | None = None
    programs: frozenset[str] | None = None

    def wants(self, e: Envelope) -> bool:
        """Whether a fact is part of the answer."""
        if e.type in ALWAYS:
            return True
        if self.types is not None and e.type not in self.types:
            return False
        return self.programs is None or e.scope == ORG or e.scope in self.programs

    @property
    def digest(self) -> str:
        """Of the question, 16 characters. A cursor is good for one question: another one would miss what was passed."""
        told = [sorted(part) if part is not None else None for part in (self.types, self.programs)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
