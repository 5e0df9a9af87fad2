"""State records as a model: a record is revised and erased while relays without any lease send it, late and again.

It models `chassis/distributing/latest.py` (`put`, `erase`, `unsent`, `sent`, `heard`), `_sweep_latest` of
`chassis/distributing/relay.py`, and what `chassis/receiving/folding.py` (`keep`) calls stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from tests.model.explore import Label

ERASED = 9
"""The revision of a tombstone: none is higher."""


class Hand(NamedTuple):
    """What one relay has read and perhaps sent; `again`: somebody has asked for the record since."""

    rev: int
    sent: bool = False
    again: bool = False


@dataclass(frozen=True, order=True)
class State:
    """The stored record, the topic (its last record, and those the owner has not heard), and what relays hold."""

    rev: int = 1
    dirty: bool = True
    last: int = 0
    unheard: tuple[int, ...] = ()
    known: int = 0
    hands: tuple[Hand | None, ...] = (None, None)
    crashes: int = 0


@dataclass(frozen=True)
class LatestModel:
    """`revisions` before the erasure, `relays`, and how many of them die. `mistake` names a wrong design."""

    revisions: int = 2
    relays: int = 2
    crashes: int = 1
    mistake: str = ""
    faults = frozenset({"crash"})

    def starts(self) -> Iterable[State]:
        yield State(hands=(None,) * self.relays)

    def steps(self, s: State) -> Iterator[tuple[Label, State, str | None]]:
        if s.rev < ERASED:
            rev = s.rev + 1 if s.rev < self.revisions else ERASED
            yield ("write", rev), _asked(replace(s, rev=rev)), None
        if s.unheard:
            yield ("hear", s.unheard[0]), self._hear(s), None
        for n, hand in enumerate(s.hands):
            for label, after in self._relay(s, n, hand):
                yield label, after, None

    def _relay(self, s: State, n: int, hand: Hand | None) -> Iterator[tuple[Label, State]]:
        if hand is None:
            if s.dirty:
                yield ("read", n), _holding(s, n, Hand(s.rev))
            return
        if not hand.sent:
            sent = replace(s, last=hand.rev, unheard=(*s.unheard, hand.rev))
            yield ("send", n), _holding(sent, n, hand._replace(sent=True))
        else:
            same = hand.rev == s.rev and (not hand.again or self.mistake == "mark what was asked for again")
            yield ("mark", n), _holding(replace(s, dirty=s.dirty and not same), n, None)
        if s.crashes < self.crashes:
            yield ("crash", n), _holding(replace(s, crashes=s.crashes + 1), n, None)

    def _hear(self, s: State) -> State:
        heard, *rest = s.unheard
        stale = heard < s.known or (s.rev == ERASED and heard != ERASED)
        after = replace(s, unheard=tuple(rest), known=max(s.known, heard))
        return _asked(after) if stale and s.rev > heard and self.mistake != "send it once" else after

    def canonical(self, s: State) -> State:
        return replace(s, hands=tuple(sorted(s.hands, key=lambda hand: hand or ())))

    def wrong(self, s: State) -> str | None:
        if self.done(s) and s.last != s.rev:
            return f"revision {s.last} stays on the topic, and the record is at {s.rev}"
        return None

    def done(self, s: State) -> bool:
        return s.rev == ERASED and not s.dirty and not s.unheard and not any(s.hands)


def _asked(s: State) -> State:
    """The record is to be sent, whatever is being sent now."""
    return replace(s, dirty=True, hands=tuple(hand and hand._replace(again=True) for hand in s.hands))


def _holding(s: State, n: int, hand: Hand | None) -> State:
    return replace(s, hands=(*s.hands[:n], hand, *s.hands[n + 1 :]))
