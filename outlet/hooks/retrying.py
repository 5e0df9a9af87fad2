"""When a delivery that failed is tried again, and when its endpoint counts as dead. Pure; chance is an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DELAYS = (5, 30, 120, 600, 1800, 7200, 18_000, 36_000, 50_400)
"""Seconds after each failure in a row before the next try; the last of them holds from there on."""
JITTER = 0.2
"""Each is up to this part longer, so that those who failed together do not come back together."""
DEAD_DAYS = 3.0
"""Failing for this long, a delivery pauses its webhook."""
LONGEST_WISH = 86_400.0
"""How long an endpoint may ask to be left alone, at most."""


def due(failures: int, now: datetime, chance: float, retry_after: str | None = None) -> datetime:
    """When to try again after so many failures in a row; `chance` is between 0 and 1.

    No earlier than the endpoint's `Retry-After`, in seconds or as a date.
    """
    own = DELAYS[min(failures, len(DELAYS)) - 1] * (1 + JITTER * chance)
    return now + timedelta(seconds=max(own, min(LONGEST_WISH, _wish(retry_after, now))))


def is_dead(first_failed: datetime, now: datetime) -> bool:
    """Whether a delivery has failed for so long that nobody seems to be there."""
    return now - first_failed >= timedelta(days=DEAD_DAYS)


def _wish(retry_after: str | None, now: datetime) -> float:
    if not retry_after:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after.strip()[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError):
        return 0.0
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
