"""The cursor: how far one reader has come, as a vector of positions, sealed so that nobody can make one up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

FORMAT = "1"
_MAC = 16
_MOST = 1 << 20


class BadCursor(ValueError):
    """This is no cursor of ours, or not one for this question. The text says what to do."""


class Gone(Exception):
    """What the cursor points at does not exist any more. The text says what to do."""


@dataclass(frozen=True)
class At:
    """How far somebody is in one generation of a topic: the next offset of each of its partitions."""

    generation: int
    offsets: tuple[int, ...]


Reached = tuple[At, ...]
"""How far somebody is in a topic: where they read, and then the generations they have left that have what the first has
not. What they have had is what any of these has before its offsets."""


@dataclass(frozen=True)
class Cursor:
    """How far somebody is who asks one question; `turn` is where the next page begins, so that no partition waits."""

    question: str
    topics: Mapping[str, Reached] = field(default_factory=dict)
    turn: int = 0

    def at(self, topic: str, *where: At) -> Cursor:
        """The same, with that topic there."""
        return replace(self, topics={**self.topics, topic: where})


def write(cursor: Cursor, key: bytes) -> str:
    """The cursor as a word of letters, digits, `-` and `_`."""
    places = {
        topic: [[at.generation, at.offsets] for at in reached] for topic, reached in sorted(cursor.topics.items())
    }
    packed = zlib.compress(json.dumps([cursor.question, cursor.turn, places], separators=(",", ":")).encode(), 9)
    return FORMAT + base64.urlsafe_b64encode(_mac(packed, key) + packed).decode().rstrip("=")


def read(text: str, key: bytes) -> Cursor:
    """The cursor of a word. Raises `BadCursor`."""
    if text[:1].isdecimal() and text[:1] != FORMAT:
        raise BadCursor(f"the cursor has format {text[0]}, and this release knows {FORMAT}: {BEGIN}")
    try:
        raw = base64.b64decode(text[1:] + "=" * (-len(text[1:]) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor(f"this is no cursor; send one that an answer gave you as it is, or {BEGIN}") from None
    mac, packed = raw[:_MAC], raw[_MAC:]
    if text[:1] != FORMAT or not packed or not hmac.compare_digest(mac, _mac(packed, key)):
        raise BadCursor(f"the cursor was changed or comes from another installation; {BEGIN}")
    question, turn, places = json.loads(zlib.decompressobj().decompress(packed, _MOST))
    topics = {topic: tuple(At(g, tuple(offsets)) for g, offsets in reached) for topic, reached in places.items()}
    return Cursor(question, topics, turn)


BEGIN = "leave `after` out to begin at the beginning, and skip the ids you have had"


def _mac(packed: bytes, key: bytes) -> bytes:
    return hmac.new(key, b"counterpoint cursor\0" + packed, hashlib.sha256).digest()[:_MAC]
