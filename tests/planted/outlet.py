"""Faults in what the outlet hands over: a fact twice, one that is missed, one of another program."""

from __future__ import annotations

from typing import Any

from outlet.index import Generation, Lane
from outlet.pages import Pages
from outlet.question import Question
from tests.planted import Fault

_FEED = "tests/outlet/test_feed.py::"
_ONCE = "tests/outlet/test_pages.py::test_every_fact_once_and_each_stream_in_order"
_BEGIN = Generation.begin


async def _nothing(self: Pages, topic: str, left: Any) -> list[Any]:
    """Forget what was handed over from the generation that was left."""
    return []


def _at_its_end(self: Generation, other: Generation | None = None) -> tuple[int, ...]:
    """Take the next generation for one that has nothing new so far."""
    return _BEGIN(self) if other is None else self.known()


def _set(owner: Any, name: str, value: Any) -> Any:
    return lambda: setattr(owner, name, value)


FAULTS = (
    Fault(
        "the-feed-forgets-the-generation-before",
        "running",
        "outlet/pages.py",
        _set(Pages, "_had", _nothing),
        (_ONCE, f"{_FEED}test_a_generation_comes_and_another_goes_and_nothing_is_missed_or_repeated"),
    ),
    Fault(
        "the-feed-begins-behind-what-is-new",
        "running",
        "outlet/index.py",
        _set(Generation, "begin", _at_its_end),
        (_ONCE,),
    ),
    Fault(
        "the-feed-repeats-what-was-sent-twice",
        "running",
        "outlet/index.py",
        _set(Lane, "says", lambda self, offset: True),
        (_ONCE, f"{_FEED}test_it_hands_over_every_fact_once_and_just_as_it_was_said"),
    ),
    Fault(
        "the-feed-asks-for-no-program",
        "people",
        "outlet/question.py",
        _set(Question, "wants", lambda self, e: self.types is None or e.type in self.types),
        ("tests/outlet/test_asking.py::test_a_subscriber_of_one_program_hears_of_no_other",),
    ),
)
