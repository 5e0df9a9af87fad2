"""Faults in what the outlet hands over: a fact twice, one that is missed, one of another program."""

from __future__ import annotations

import asyncio
from typing import Any

from outlet.hooks import reaching
from outlet.hooks.keeping import Keeping
from outlet.hooks.sending import Sender
from outlet.index import Generation, Lane
from outlet.pages import Pages
from outlet.question import Question
from tests.planted import Fault

_FEED = "tests/outlet/test_feed.py::"
_ONCE = "tests/outlet/test_pages.py::test_every_fact_once_and_each_stream_in_order"
_HOOKS = "tests/outlet/test_webhooks.py::"
_BEGIN, _GO_ON, _LAUNCH = Generation.begin, Keeping.go_on, Sender._launch


async def _nothing(self: Pages, topic: str, left: Any) -> list[Any]:
    """Forget what was handed over from the generation that was left."""
    return []


def _at_its_end(self: Generation, other: Generation | None = None) -> tuple[int, ...]:
    """Take the next generation for one that has nothing new so far."""
    return _BEGIN(self) if other is None else self.known()


def _set(owner: Any, name: str, value: Any) -> Any:
    return lambda: setattr(owner, name, value)


async def _cursor_first(self: Keeping, webhook: Any, cursor: str, deliveries: Any) -> bool:
    """Keep how far it is before what is to be delivered."""
    done = await _GO_ON(self, webhook, cursor, [])
    await asyncio.sleep(0.3)
    await _GO_ON(self, webhook, cursor, deliveries)
    return done


def _from_the_end(self: Sender) -> None:
    """Take any delivery of a stream for the one whose turn it is."""
    for waiting in self._due.values():
        waiting.rotate(1)
    _LAUNCH(self)


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
        "a-webhook-moves-on-before-it-keeps-what-is-due",
        "running",
        "outlet/hooks/keeping.py",
        _set(Keeping, "go_on", _cursor_first),
        ("tests/outlet/test_killed.py::test_every_fact_is_delivered_whatever_is_killed",),
    ),
    Fault(
        "a-webhook-tears-streams-apart",
        "running",
        "outlet/hooks/sending.py",
        _set(Sender, "_launch", _from_the_end),
        (f"{_HOOKS}test_it_is_verified_before_anything_is_sent_and_then_everything_comes_signed_and_in_order",),
    ),
    Fault(
        "a-webhook-reaches-any-address",
        "people",
        "outlet/hooks/reaching.py",
        _set(reaching, "may_be_reached", lambda address, allowed=(): True),
        (
            "tests/outlet/test_reaching.py::test_a_name_that_answers_differently_later_is_checked_where_it_is_connected_to",
        ),
    ),
    Fault(
        "the-feed-asks-for-no-program",
        "people",
        "outlet/question.py",
        _set(Question, "wants", lambda self, e: self.types is None or e.type in self.types),
        ("tests/outlet/test_asking.py::test_a_subscriber_of_one_program_hears_of_no_other",),
    ),
)
