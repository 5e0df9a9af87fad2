"""The inbox as a model: of `chassis/receiving/inbox.py`, and of `consumer.py` and `resuming.py` beside it.

Two consumers believe that one partition is theirs, in turn or at once; sessions are ended in the middle of a
transaction; a transaction commits, aborts, or commits without anybody being told; a process dies and what it had
under way commits after it. An operator mends a fold and tries a parked stream again at any moment.

A transaction is two steps: it begins on what is there at that moment, and it commits if nobody wrote meanwhile what it
writes. That is the database's snapshot isolation; that locks make somebody wait is not in the model, as time is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tests.model.explore import Label
from tests.model.folded import FAILED, GAP, Doc, Fact, Rows, apply, drain, hear

Mistake = Literal[
    "offset only", "park without conflict", "fence by the offset alone", "trust the position", "go on with what is held"
]

BACK = (-1, 0, False)


class Base(NamedTuple):
    """What a transaction began on."""

    offset: int
    owner: int
    docs: tuple[Doc, ...]
    rows: tuple[Rows, ...]


KILLED = Base(-1, 0, (), ())


class Consumer(NamedTuple):
    """One process: its session, whether it believes the partition its own, and where it thinks that goes on.

    `hand` are the records it works on: the first offset, how many, and whether one by one; or `BACK`, when it has to
    look where it is. `base` is there while its transaction is open.
    """

    session: int
    ready: bool = False
    expected: int = -1
    taking: bool = False
    hand: tuple[()] | tuple[int, int, bool] = ()
    base: tuple[()] | Base = ()


class State(NamedTuple):
    """The number of the log, the checkpoint, the documents and what waits, whether folds were mended; then who acts."""

    log: int
    offset: int
    owner: int
    docs: tuple[Doc, ...]
    rows: tuple[Rows, ...]
    mended: bool
    consumers: tuple[Consumer, ...]
    orphan: tuple[int, Base, int] | None = None
    """A dead process's session, its open transaction, and how many records are in it."""
    operator: tuple[int, Doc, Rows] | None = None
    """The stream that is tried again, and what that began on."""


@dataclass(frozen=True)
class InboxModel:
    """`logs` are what the partition may hold; `broken` the facts whose fold raises until it is mended."""

    logs: tuple[tuple[Fact, ...], ...]
    broken: frozenset[Fact] = frozenset()
    streams: int = 1
    consumers: int = 2
    batch: int = 2
    deaths: bool = False
    unfit: bool = False
    """Whether a transaction may fail for what is in it, so that its records are tried one by one."""
    mistake: Mistake | None = None
    faults: frozenset[str] = field(
        default=frozenset({"abort", "unfit", "crash", "late-commit", "unanswered", "revoke", "retry-abort"})
    )

    def start(self, log: int = 0) -> State:
        consumers = tuple(Consumer(n + 1) for n in range(self.consumers))
        return State(log, 0, 0, (Doc(),) * self.streams, ((),) * self.streams, not self.broken, consumers)

    def starts(self) -> list[State]:
        return [self.start(n) for n in range(len(self.logs))]

    def canonical(self, state: State) -> State:
        """Two consumers differ by name only."""
        if self.consumers != 2:
            return state
        one, two = ((c.session > 2, *c[1:5], c.base[:1], c.base[2:]) for c in state.consumers)
        if one < two:
            return state
        owners = [state.owner, *(c.base[1] if c.base else 0 for c in state.consumers)]
        owners.append(state.orphan[0] if state.orphan else 0)
        swapped = [_SWAPPED[o] for o in (owners[0], owners[2], owners[1], owners[3])]
        if one == two and owners <= swapped:
            return state
        return state._replace(
            owner=swapped[0],
            consumers=tuple(
                c._replace(session=_SWAPPED[c.session], base=_swapped(c.base)) for c in state.consumers[::-1]
            ),
            orphan=state.orphan and (_SWAPPED[state.orphan[0]], _swapped(state.orphan[1]), state.orphan[2]),
        )

    def done(self, state: State) -> bool:
        """Everything has been read, and nothing waits that could go on."""
        idle = state.operator is None and all(not c.hand and not c.taking for c in state.consumers)
        waits = any(d.parked and d.parked[0] == FAILED for d in state.docs)
        return idle and not waits and state.offset == len(self.logs[state.log])

    def wrong(self, state: State) -> str | None:
        for doc, rows in zip(state.docs, state.rows, strict=True):
            versions = {f.version for f in rows}
            if doc.effects != tuple(range(1, doc.version + 1)):
                return f"the effects are {', '.join(map(str, doc.effects))}"
            if bool(doc.parked) != bool(rows):
                return "facts wait on a stream that is not parked" if rows else "a stream is parked and nothing waits"
            if doc.parked and doc.parked[0] == GAP and doc.version + 1 in versions:
                return "the version that a stream waits for is among those that wait"
        for fact in self.logs[state.log][: state.offset]:
            if fact.version > state.docs[fact.stream].version and fact not in state.rows[fact.stream]:
                return "the checkpoint is ahead of the effects"
        return None

    def steps(self, state: State) -> Iterator[tuple[Label, State, str | None]]:
        for i, c in enumerate(state.consumers):
            yield from self._own(i, c, state)
            if not c.hand:
                yield from self._fetch(i, c, state)
            elif c.hand[0] < 0:
                mine = state.owner == c.session
                c = c._replace(hand=(), expected=state.offset if mine else -1, ready=c.ready and mine)
                yield ("look", i, c.expected), _put(state, i, c), None
            elif not c.base:
                yield from self._begin(i, c, state)
            else:
                yield from self._end(i, c, state)
        if state.orphan:
            session, base, n = state.orphan
            after = self._commit(state._replace(orphan=None), base, n)
            if after:
                yield ("late-commit", session), *self._checked(state, after, session)
        yield from self._operate(state)

    # -- owning -----------------------------------------------------------------------------------------------------

    def _own(self, i: int, c: Consumer, state: State) -> Iterator[tuple[Label, State, str | None]]:
        if c.taking:
            mine = c._replace(taking=False, ready=True, expected=state.offset)
            yield ("take", i, state.offset), _put(state._replace(owner=c.session), i, mine), None
        elif not c.hand or c.base or c.hand[2]:  # between two awaits of its handler
            yield ("end-session", i), _put(self._kill(state, c.session), i, None, taking=True), None
        if c.ready and not c.taking:
            yield ("revoke", i), _put(state, i, c._replace(ready=False, expected=-1)), None
        if self.deaths and c.session <= 2 and state.orphan is None:
            orphan = (c.session, c.base, 1 if c.hand[2] else c.hand[1]) if c.base and c.hand and c.base.docs else None
            yield ("crash", i), _put(state._replace(orphan=orphan), i, Consumer(c.session + 2)), None

    def _kill(self, state: State, mine: int) -> State:
        """End the recorded session and with it the transaction it has open."""
        if state.owner in (0, mine):
            return state
        consumers = tuple(
            c._replace(base=KILLED) if c.session == state.owner and c.base else c for c in state.consumers
        )
        orphan = None if state.orphan and state.orphan[0] == state.owner else state.orphan
        return state._replace(consumers=consumers, orphan=orphan)

    # -- working ----------------------------------------------------------------------------------------------------

    def _fetch(self, i: int, c: Consumer, state: State) -> Iterator[tuple[Label, State, str | None]]:
        """Records from where the checkpoint is; any others that the client hands over are dropped."""
        if not c.ready or c.taking:
            return
        end = len(self.logs[state.log])
        begins = range(c.expected, end) if self.mistake == "trust the position" else (c.expected,)
        for begin in begins:
            for n in range(1, min(self.batch, end - begin) + 1):
                yield ("fetch", i, begin, n), _put(state, i, c._replace(hand=(begin, n, False))), None

    def _begin(self, i: int, c: Consumer, state: State) -> Iterator[tuple[Label, State, str | None]]:
        """The checkpoint is moved, where offset and session are what is expected."""
        assert c.hand
        fits = state.offset == c.expected and state.owner in (c.session, 0)
        if self.mistake == "fence by the offset alone":
            fits = state.offset == c.expected
        if self.mistake == "trust the position":
            fits = state.owner == c.session
        elif self.mistake != "go on with what is held":
            fits = fits and c.hand[0] == c.expected
        if fits:
            base = Base(state.offset, state.owner, state.docs, state.rows)
            yield ("begin", i), _put(state, i, c._replace(base=base)), None
        else:
            yield ("lost", i), _put(state, i, c._replace(hand=BACK, expected=-1)), None

    def _end(self, i: int, c: Consumer, state: State) -> Iterator[tuple[Label, State, str | None]]:
        assert c.hand and c.base
        begin, n, single = c.hand
        size = 1 if single else n
        if after := self._commit(state, c.base, size, begin):
            left = (begin + 1, n - 1, True) if single and n > 1 else ()
            mine = c._replace(expected=begin + size if c.ready or left else -1, hand=left, base=())
            after, wrong = self._checked(state, after, c.session)
            yield ("commit", i), _put(after, i, mine), wrong
            yield ("unanswered", i), _put(after, i, c._replace(hand=BACK, base=(), expected=-1)), wrong
        aborted = _put(state, i, c._replace(hand=BACK, base=(), expected=-1))
        yield ("abort" if after else "refused", i), aborted, None
        if self.unfit and not single and n > 1 and c.base.docs:
            yield ("unfit", i), _put(state, i, c._replace(hand=(begin, n, True), base=())), None

    def _commit(self, state: State, base: Base, n: int, begin: int | None = None) -> State | None:
        """What a transaction comes to; None where somebody wrote meanwhile what it writes."""
        if base.offset != state.offset or base.owner != state.owner or not base.docs:
            return None
        begin = base.offset if begin is None else begin
        docs, rows = list(state.docs), list(state.rows)
        batch = self.logs[state.log][begin : begin + n]
        for s in {f.stream for f in batch}:
            doc, waiting = self._fold(base.docs[s], base.rows[s], tuple(f for f in batch if f.stream == s), state)
            changed = (doc, waiting) != (base.docs[s], base.rows[s])
            if self.mistake == "park without conflict" and doc == base.docs[s]:
                rows[s] = tuple(sorted({*rows[s], *waiting}))
                continue
            same = base.docs[s] == state.docs[s]
            if self.mistake != "park without conflict":
                same = same and base.rows[s] == state.rows[s]
            if changed and not same:
                return None
            if changed:
                docs[s], rows[s] = doc, waiting
        return state._replace(offset=begin + n, docs=tuple(docs), rows=tuple(rows))

    def _fold(self, doc: Doc, rows: Rows, batch: tuple[Fact, ...], state: State) -> tuple[Doc, Rows]:
        broken = frozenset() if state.mended else self.broken
        for fact in batch:
            doc, rows = (apply(doc, fact), rows) if self.mistake == "offset only" else hear(doc, rows, fact, broken)
        return doc, rows

    @staticmethod
    def _checked(before: State, after: State, session: int) -> tuple[State, str | None]:
        if before.owner != session:
            return after, "who has lost the partition writes on"
        return after, "the checkpoint goes back" if after.offset < before.offset else None

    # -- operating --------------------------------------------------------------------------------------------------

    def _operate(self, state: State) -> Iterator[tuple[Label, State, str | None]]:
        """A fold is mended by a release; a parked stream is tried again."""
        if not state.mended:
            yield ("mend",), state._replace(mended=True), None
        if state.operator is None:
            if self.broken:
                for s, doc in enumerate(state.docs):
                    if doc.parked:
                        yield ("retry", s), state._replace(operator=(s, doc, state.rows[s])), None
            return
        s, doc, rows = state.operator
        conflict = state.docs[s] != doc or state.rows[s] != rows
        if self.mistake == "park without conflict":
            conflict = state.docs[s] != doc
        yield ("retry-refused" if conflict else "retry-abort", s), state._replace(operator=None), None
        if not conflict:
            now, waiting = drain(doc, rows, frozenset() if state.mended else self.broken)
            if self.mistake == "park without conflict":
                waiting = tuple(sorted(set(waiting) | set(state.rows[s]) - set(rows)))
            docs = (*state.docs[:s], now, *state.docs[s + 1 :])
            left = (*state.rows[:s], waiting, *state.rows[s + 1 :])
            yield ("retried", s), state._replace(docs=docs, rows=left, operator=None), None


def _put(state: State, i: int, consumer: Consumer | None, **changes: bool) -> State:
    mine = consumer or state.consumers[i]._replace(**changes)
    return state._replace(consumers=(*state.consumers[:i], mine, *state.consumers[i + 1 :]))


_SWAPPED = (0, 2, 1, 4, 3)
"""Sessions 1 and 2 are those of two consumers, 3 and 4 those after a death."""


def _swapped(base: Any) -> Any:
    return base._replace(owner=_SWAPPED[base.owner]) if base else base
