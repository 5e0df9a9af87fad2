"""What a measurement is: a figure beside its floor, and what both cost in processor time."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from local.servers import Servers

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One line of the table. `ratio` is value / floor, medians over `runs`; a latency or a size has no floor."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    ratio: float | None = None
    runs: int = 1


def beside(name: str, unit: str, got: Sequence[float], floor: Sequence[float]) -> Figure:
    """A figure and its floor, each run against the floor of the same run."""
    ratios = [g / f for g, f in zip(got, floor, strict=True)]
    return Figure(name, median(got), unit, median(floor), median(ratios), len(got))


def latencies(name: str, seconds: Sequence[float]) -> list[Figure]:
    """p50 and p99 of what was timed."""
    took = sorted(s * 1000 for s in seconds)
    return [
        Figure(f"{name}, p50", median(took), "ms", runs=len(took)),
        Figure(f"{name}, p99", took[int(len(took) * 0.99) - 1], "ms", runs=len(took)),
    ]


@dataclass(frozen=True)
class Spent:
    """Seconds, and seconds of processor time, of this process and of mongod."""

    seconds: float
    here: float
    mongod: float

    def __sub__(self, before: Spent) -> Spent:
        return Spent(self.seconds - before.seconds, self.here - before.here, self.mongod - before.mongod)


def spent(servers: Servers) -> Spent:
    """What has been used up to now."""
    return Spent(time.perf_counter(), time.process_time(), _of(servers.children["mongod"].pid))


def _of(pid: int) -> float:
    """Processor seconds of another process. Linux only, as the embedded servers are."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def processor(what: str, count: int, got: Sequence[Spent], floor: Sequence[Spent] = ()) -> list[Figure]:
    """Microseconds of processor time for each of `count`, in this process and in mongod, beside the floor's."""

    def each(seconds: Sequence[float]) -> float | None:
        return median(seconds) / count * 1e6 if seconds else None

    here = each([s.here for s in got]) or 0.0, each([s.here for s in floor])
    mongod = each([s.mongod for s in got]) or 0.0, each([s.mongod for s in floor])
    return [
        Figure(f"{what}: CPU here", here[0], "µs", here[1], runs=len(got)),
        Figure(f"{what}: CPU in mongod", mongod[0], "µs", mongod[1], runs=len(got)),
    ]
