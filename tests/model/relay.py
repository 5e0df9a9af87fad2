"""The relay as a model: of `chassis/distributing/relay.py` and `chassis/distributing/producer.py`.

Several relays sweep one journal, and no lease keeps them apart. A request may be lost, or arrive after its relay has
given it up or died; its answer may be lost; a relay may die at any step; marks may be set for some commits of a page
and not for the others, and while the next page is read and sent. Of the log only what matters is kept: how far each
stream's first occurrences have come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tests.model.explore import Label

Mistake = Literal["mark before the answer", "two batches in flight", "page by wall clock", "mark by a range of keys"]

Record = tuple[int, int]
"""A stream and a version of it."""
Records = tuple[Record, ...]
Lane = tuple[int, int, Records, tuple[tuple[Records, bool], ...]]
"""Its number, the set of commits of the page in it, what is not sent yet, and the requests under way: their records,
and whether they have arrived."""
Relay = tuple[int, int, tuple[Lane, ...], int, int]
"""The slot to begin at, the clock it has read up to (by mistake only), lanes being sent, the set of commits that were
answered, and the set of those being marked. Sets of commits are bits."""
State = tuple[tuple[int, ...], int, tuple[int, ...], frozenset[Records], int, tuple[Relay, ...]]
"""Commits appended to each stream, those pending, how far each stream is on the topic, requests and marks of the dead
that may still arrive, and the relays."""

IDLE: Relay = (0, 0, (), 0, 0)


@dataclass(frozen=True)
class RelayModel:
    """`streams` are the sizes of the commits that are appended to each, in order; a stream's number is its slot."""

    streams: tuple[tuple[int, ...], ...]
    lanes: tuple[int, ...]
    """The lane of each stream."""
    relays: int
    page: int
    mistake: Mistake | None = None
    faults = frozenset({"lose", "crash", "give-up", "late", "late-mark"})

    @cached_property
    def commits(self) -> list[tuple[int, int, int]]:
        """Stream, first and last version of each commit, in the order of the relay's index."""
        found = []
        for stream, sizes in enumerate(self.streams):
            first = 1
            for size in sizes:
                found.append((stream, first, first + size - 1))
                first += size
        return found

    @cached_property
    def _number(self) -> dict[tuple[int, int], int]:
        """The number of each stream's n-th commit."""
        pairs = [(stream, n) for stream, sizes in enumerate(self.streams) for n in range(len(sizes))]
        return {pair: number for number, pair in enumerate(pairs)}

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        return tuple(sum(sizes) for sizes in self.streams)

    def _clock(self, commit: int) -> int:
        """When a commit was decided, by the clock of whoever wrote it: those of later streams are slow."""
        stream, first, _ = self.commits[commit]
        return 10 * first + 9 - stream

    def start(self) -> State:
        none = (0,) * len(self.streams)
        return none, 0, none, frozenset(), 0, (IDLE,) * self.relays

    def starts(self) -> list[State]:
        return [self.start()]

    def canonical(self, state: State) -> State:
        """Relays have no names."""
        return (*state[:5], tuple(sorted(state[5])))

    def wrong(self, state: State) -> str | None:
        return None

    def done(self, state: State) -> bool:
        return not state[1] and state[2] == self._ends

    def steps(self, state: State) -> Iterator[tuple[Label, State, str | None]]:
        appended, pending, heights, late, marks, relays = state
        for stream, sizes in enumerate(self.streams):
            if appended[stream] < len(sizes):
                number = self._number[stream, appended[stream]]
                grown = (*appended[:stream], appended[stream] + 1, *appended[stream + 1 :])
                yield ("append", number), (grown, pending | 1 << number, heights, late, marks, relays), None
        for records in late:
            risen, wrong = _log(heights, records)
            yield ("late", records), (appended, pending, risen, _open(late, risen), marks, relays), wrong
        for commit in _bits(marks):
            left = pending & ~(1 << commit)
            yield ("late-mark", commit), (appended, left, heights, late, marks & ~(1 << commit), relays), None
        for i, relay in enumerate(relays):
            yield from self._steps_of(i, relay, state)

    def _steps_of(self, i: int, relay: Relay, state: State) -> Iterator[tuple[Label, State, str | None]]:
        begin, _, lanes, acked, marking = relay
        for j in range(len(lanes)):
            yield from self._send(i, j, state)
        if marking:
            yield from self._mark(i, state)
        if not lanes and not acked and (begin or not marking):
            yield from self._read(i, state)
        if relay != IDLE:
            under_way = [records for lane in lanes for records, arrived in lane[3] if not arrived]
            yield ("crash", i), _with(state, i, IDLE, lost=under_way, marks=marking), None

    def _read(self, i: int, state: State) -> Iterator[tuple[Label, State, str | None]]:
        """A page of what is pending, as of one moment, in the order of the index."""
        begin, clock, _, _, marking = state[5][i]
        found = [c for c in _bits(state[1]) if self.commits[c][0] >= begin]
        if self.mistake == "page by wall clock":
            found = sorted((c for c in found if self._clock(c) > clock), key=self._clock)
        page = found[: self.page]
        if not page:
            if begin:
                yield ("read", i, ()), _with(state, i, (0, 0, (), 0, marking)), None
            return
        begin, taken = 0, page
        if self.mistake == "page by wall clock":
            clock = self._clock(page[-1])
        elif len(page) == self.page:  # the slot at its end is left for the next page, unless there is no other in it
            end = self.commits[page[-1]][0]
            if whole := [c for c in page if self.commits[c][0] < end]:
                begin, taken = end, whole
        lanes: dict[int, tuple[int, Records]] = {}
        for commit in taken:
            stream, first, last = self.commits[commit]
            had, records = lanes.get(self.lanes[stream], (0, ()))
            versions = tuple((stream, version) for version in range(first, last + 1))
            lanes[self.lanes[stream]] = had | 1 << commit, records + versions
        sending = tuple((number, had, records, ()) for number, (had, records) in sorted(lanes.items()))
        yield ("read", i, tuple(page)), _with(state, i, (begin, clock, sending, 0, marking)), None

    def _send(self, i: int, j: int, state: State) -> Iterator[tuple[Label, State, str | None]]:
        begin, clock, lanes, acked, marking = state[5][i]
        number, commits, rest, flights = lanes[j]
        if len(flights) < (2 if self.mistake == "two batches in flight" else 1):
            for n in range(1, len(rest) + 1):
                lane = number, commits, rest[n:], (*flights, (rest[:n], False))
                after, wrong = _with(state, i, (begin, clock, _put(lanes, j, lane), acked, marking)), None
                if self.mistake == "mark before the answer" and n == len(rest):
                    after, wrong = self._marked(after, commits)
                yield ("send", i, number, rest[:n]), after, wrong
        for k, (records, arrived) in enumerate(flights):
            others = flights[:k] + flights[k + 1 :]
            if not arrived:
                risen, wrong = _log(state[2], records)
                lane = number, commits, rest, (*flights[:k], (records, True), *flights[k + 1 :])
                after = _with(state, i, (begin, clock, _put(lanes, j, lane), acked, marking))
                yield ("arrive", i, number), (*after[:2], risen, _open(after[3], risen), *after[4:]), wrong
            elif rest or others:
                lane = number, commits, rest, others
                yield ("answer", i, number), _with(state, i, (begin, clock, _put(lanes, j, lane), acked, marking)), None
            else:
                left = lanes[:j] + lanes[j + 1 :]
                yield ("answer", i, number), _with(state, i, (begin, clock, left, acked | commits, marking)), None
        if flights:  # no answer: the lane is given up, and whatever of it is under way may arrive or not
            lost = [records for records, arrived in flights if not arrived]
            yield (
                ("lose", i, number),
                _with(state, i, (0, 0, lanes[:j] + lanes[j + 1 :], acked, marking), lost=lost),
                None,
            )

    def _mark(self, i: int, state: State) -> Iterator[tuple[Label, State, str | None]]:
        begin, clock, lanes, acked, marking = state[5][i]
        for commit in _bits(marking):
            left, which = marking & ~(1 << commit), 1 << commit
            if self.mistake == "mark by a range of keys":
                left, which = 0, (1 << marking.bit_length()) - (marking & -marking)
            after, wrong = self._marked(_with(state, i, (begin, clock, lanes, acked, left)), which)
            yield ("mark", i, commit), after, wrong
        yield ("give-up", i), _with(state, i, (begin, clock, lanes, acked, 0), marks=marking), None

    def _marked(self, state: State, which: int) -> tuple[State, str | None]:
        wrong = None
        for commit in _bits(which & state[1]):
            stream, _, last = self.commits[commit]
            if last > state[2][stream]:
                wrong = "a commit is marked that is not on the topic"
        return (state[0], state[1] & ~which, *state[2:]), wrong


def _log(heights: tuple[int, ...], records: Records) -> tuple[tuple[int, ...], str | None]:
    """Records arrive on the topic."""
    risen = list(heights)
    for stream, version in records:
        if version > risen[stream] + 1:
            return heights, "a version is on the topic before the one it follows"
        risen[stream] = max(risen[stream], version)
    return tuple(risen), None


def _open(late: frozenset[Records], heights: tuple[int, ...]) -> frozenset[Records]:
    """Requests that would still add something: those that would only repeat change nothing any more."""
    return frozenset(r for r in late if any(version > heights[stream] for stream, version in r)) if late else late


def _with(state: State, i: int, relay: Relay, *, lost: list[Records] | None = None, marks: int = 0) -> State:
    appended, pending, heights, late, late_marks, relays = state
    if lost:
        late = _open(late.union(lost), heights)
    begin, clock, lanes, acked, marking = relay
    if not lanes and not marking:  # the mark of a page begins when that of the page before is set
        relay = begin, clock, lanes, 0, acked
    relays = (*relays[:i], relay, *relays[i + 1 :])
    return appended, pending, heights, late, (late_marks | marks) & pending, relays


def _put(lanes: tuple[Lane, ...], j: int, lane: Lane) -> tuple[Lane, ...]:
    return (*lanes[:j], lane, *lanes[j + 1 :])


def _bits(which: int) -> Iterator[int]:
    while which:
        low = which & -which
        yield low.bit_length() - 1
        which ^= low
