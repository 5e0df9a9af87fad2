"""How far a long piece of work has come, how fast it goes of late, and how long it still takes."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

_OVER = 25


@dataclass(frozen=True)
class Progress:
    """How far a version or a generation has come: done and to do in all, so many a second of late, seconds left."""

    version: int
    done: int
    total: int
    rate: float
    left: float | None

    def shown(self) -> dict[str, Any]:
        """As a line for whoever watches."""
        left = None if self.left is None else round(self.left, 1)
        return asdict(self) | {"rate": round(self.rate), "left": left}


class Pace:
    """Measures the rate over the last reports."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=_OVER)

    def step(self, version: int, done: int, total: int) -> Progress:
        """What there is to say now."""
        self._seen.append((time.monotonic(), done))
        (then, before), (now, _) = self._seen[0], self._seen[-1]
        rate = (done - before) / (now - then) if now > then else 0.0
        return Progress(version, done, total, rate, (total - done) / rate if rate > 0 else None)
