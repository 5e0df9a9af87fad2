"""The one place that knows what time it is. In the local stack a shared offset lets time travel forward."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Now = Callable[[], datetime]


class Clock:
    """The system's clock, plus the offset in a file where one is given (`{"offset_ms": int}`, read again on change)."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._changed = -1
        self._offset = timedelta(0)

    @property
    def offset(self) -> timedelta:
        """How far ahead of the real time we live; zero outside the local stack."""
        if self._path is not None:
            try:
                changed = self._path.stat().st_mtime_ns
                if changed != self._changed:
                    self._offset = timedelta(milliseconds=int(json.loads(self._path.read_text())["offset_ms"]))
                    self._changed = changed
            except FileNotFoundError:
                pass
        return self._offset

    def now(self) -> datetime:
        """UTC, to the millisecond."""
        at = datetime.now(UTC) + self.offset
        return at.replace(microsecond=at.microsecond // 1000 * 1000)
