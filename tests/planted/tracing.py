"""Faults in what is traced and what is told: a trace that breaks off, goes on where it must not, or tells a name."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from chassis.distributing import republish, traced
from chassis.distributing.relay import outgoing
from chassis.receiving import traced as hearing
from chassis.receiving.records import Heard
from chassis.receiving.tasks import Tasks
from chassis.running import logs, telemetry, tracing
from chassis.running.mongo import Document
from tests.planted import Fault

_TRACES = "tests/integration/test_traces.py::"
_EDGES = "tests/e2e/test_edges.py::"
_TOLD = "tests/e2e/test_nothing_is_told.py::test_a_name_put_anywhere_is_in_no_span_no_figure_and_no_line_of_the_log"
_LOGS = "tests/chassis/test_logs.py::"
_REQUESTS = "tests/chassis/test_requests_traced.py::"
_ROWS = Tasks.rows
_INIT = hearing.Hearing.__init__


def nothing_is_created(self: Any, commit: Any) -> None:
    """Send facts without the span they are sent in."""


def rows_of_no_trace(self: Tasks, heard: Heard, traceparent: str | None) -> list[Document]:
    """Write what is to be done without the trace it comes from."""
    return _ROWS(self, heard, None)


def no_link(self: Any, h: Heard, attributes: Any) -> None:
    """Forget what a batch holds."""


def all_are_new(heard: Any, documents: Any, waiting: Any) -> frozenset[str]:
    """Take what was heard before for news."""
    return frozenset(h.envelope.id for h in heard)


def rebuilds_nothing(self: Any, *given: Any, rebuilds: bool) -> None:
    """Take a version that is filled again for the live one."""
    _INIT(self, *given, rebuilds=False)


def as_it_was_sent(service: str, commit: Any, hops: Any = None, *, again: bool = False) -> Any:
    """Send a fact again as if for the first time."""
    return outgoing(service, commit, hops)


def told_with_values(record: logging.LogRecord) -> str:
    """Say what a library wants to say."""
    return str(record.msg) % record.args if record.args else str(record.msg)


def told_with_its_text(error: BaseException, **more: Any) -> dict[str, Any]:
    """Tell of an error what it says."""
    return {**{f"counterpoint.{k}": v for k, v in more.items()}, "counterpoint.reason": f"{type(error)}: {error}"}


def place_with_text(error: BaseException) -> Any:
    """Write where an error comes from as Python does."""
    return traceback.format_exception(error)


FAULTS = [
    Fault(
        "a-relay-drops-the-trace",
        "running",
        "chassis/distributing/traced.py",
        lambda: setattr(traced.Sending, "created", nothing_is_created),
        (
            f"{_TRACES}test_every_hop_of_a_command_is_below_the_one_before",
            f"{_TRACES}test_a_batch_is_linked_to_all_it_holds",
            f"{_EDGES}test_every_fact_is_followed_to_every_service_that_hears_it",
        ),
    ),
    Fault(
        "a-task-loses-its-trace",
        "running",
        "chassis/receiving/tasks.py",
        lambda: setattr(Tasks, "rows", rows_of_no_trace),
        (
            f"{_TRACES}test_every_hop_of_a_command_is_below_the_one_before",
            f"{_EDGES}test_every_fact_that_came_of_another_hangs_on_it",
        ),
    ),
    Fault(
        "a-batch-forgets-its-links",
        "running",
        "chassis/receiving/traced.py",
        lambda: setattr(hearing.Hearing, "_link", no_link),
        (
            f"{_TRACES}test_a_batch_is_linked_to_all_it_holds",
            f"{_TRACES}test_a_repeated_record_is_a_marked_link_and_no_part_of_the_trace",
        ),
    ),
    Fault(
        "a-batch-keeps-some-links",
        "running",
        "chassis/running/telemetry.py",
        lambda: setattr(telemetry, "MOST_LINKS", 128),
        (f"{_TRACES}test_a_batch_is_linked_to_all_it_holds",),
    ),
    Fault(
        "repeats-go-on-with-the-trace",
        "running",
        "chassis/receiving/traced.py",
        lambda: setattr(hearing, "_new", all_are_new),
        (f"{_TRACES}test_a_repeated_record_is_a_marked_link_and_no_part_of_the_trace",),
    ),
    Fault(
        "a-rebuild-goes-on-with-traces",
        "running",
        "chassis/receiving/traced.py",
        lambda: setattr(hearing.Hearing, "__init__", rebuilds_nothing),
        (f"{_TRACES}test_a_rebuild_is_marked_and_no_part_of_any_trace",),
    ),
    Fault(
        "what-is-sent-again-goes-on-with-the-trace",
        "running",
        "chassis/distributing/relay.py",
        lambda: setattr(republish, "outgoing", as_it_was_sent),
        (f"{_TRACES}test_what_a_topic_is_filled_with_again_is_heard_in_a_trace_of_its_own",),
    ),
    Fault(
        "an-answer-in-confidence-is-traced",
        "people",
        "chassis/running/tracing.py",
        lambda: setattr(tracing.Tracing, "_in_confidence", lambda self, scope: False),
        (f"{_REQUESTS}test_what_is_answered_in_confidence_is_in_no_trace",),
    ),
    Fault(
        "a-span-is-called-by-what-was-asked",
        "people",
        "chassis/running/tracing.py",
        lambda: setattr(tracing, "_template", lambda scope: scope["path"]),
        (_TOLD,),
    ),
    Fault(
        "the-log-says-what-libraries-say",
        "people",
        "chassis/running/logs.py",
        lambda: setattr(logs, "message", told_with_values),
        (f"{_LOGS}test_what_a_library_says_is_told_without_the_texts_it_was_handed", _TOLD),
    ),
    Fault(
        "the-log-tells-what-an-error-says",
        "people",
        "chassis/running/logs.py",
        lambda: setattr(logs, "about", told_with_its_text),
        (f"{_LOGS}test_words_of_an_error_are_told_where_they_are_ours_alone",),
    ),
    Fault(
        "the-log-tells-an-exceptions-text",
        "people",
        "chassis/running/logs.py",
        lambda: setattr(logs, "_place", place_with_text),
        (f"{_LOGS}test_of_an_exception_kinds_and_places_are_told", _TOLD),
    ),
]
