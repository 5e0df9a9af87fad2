"""Weekly windows of a person: joined where they touch, and measured. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.profiles import WeeklyWindow

QUARTERS_DAY = 96
QUARTERS_WEEK = 7 * QUARTERS_DAY


def joined(windows: Iterable[WeeklyWindow]) -> list[WeeklyWindow]:
    """The same time in as few windows as possible, in the order of the week; each within its day."""
    result: list[WeeklyWindow] = []
    for window in sorted(windows, key=lambda w: (w.weekday, w.first)):
        before = result[-1] if result else None
        if before and before.weekday == window.weekday and window.first <= before.last:
            result[-1] = before.model_copy(update={"last": max(before.last, window.last)})
        else:
            result.append(window)
    return result


def minutes_week(windows: Sequence[WeeklyWindow]) -> int:
    """Minutes a week in windows that do not overlap (see `joined`)."""
    return 15 * sum(w.last - w.first for w in windows)


def longest_minutes(windows: Sequence[WeeklyWindow]) -> int:
    """Minutes of the longest time without a break, also across midnight; at most a day."""
    free = {w.weekday * QUARTERS_DAY + q for w in windows for q in range(w.first, w.last)}
    longest = 0
    for start in free:
        if (start - 1) % QUARTERS_WEEK in free and len(free) < QUARTERS_WEEK:
            continue
        length = 1
        while length < QUARTERS_DAY and (start + length) % QUARTERS_WEEK in free:
            length += 1
        longest = max(longest, length)
    return 15 * longest
