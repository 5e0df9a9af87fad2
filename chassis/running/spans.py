"""Spans: begun only where the trace is sampled, named as the conventions say, with attributes from the allow-list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis import RELEASE
from chassis.running import allowed

__all__ = ["Link", "Span", "SpanKind"]

Attributes = Mapping[str, str | int | bool | None]

SAMPLED = contexts.create_key("counterpoint-sampled")
"""In the context a trace begins in: whether it is linked to one that is sampled, and so is sampled itself."""
_ODD = tuple("13579bdf")
"""The last digit of a `traceparent` whose sampled bit is set."""
_PROPAGATOR = TraceContextTextMapPropagator()


def tracer() -> Tracer:
    """The tracer of everything that is ours."""
    return _tracer_of(trace.get_tracer_provider())


@lru_cache(maxsize=1)
def _tracer_of(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("counterpoint", RELEASE, schema_url=allowed.SCHEMA)


def is_sampled(traceparent: str | None) -> bool:
    """Whether a `traceparent` asks for spans. Looked at first, because a span costs as much as the rest of an event."""
    return traceparent is not None and traceparent.endswith(_ODD)


def begin(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    *,
    below: str | Span | None = None,
    links: Sequence[Link] = (),
    sampled: bool = False,
) -> Span:
    """Begin a span below a `traceparent` or a span, or a trace of its own, which is sampled where it is linked or told
    to be: only what is sampled is linked."""
    if isinstance(below, Span):
        context = trace.set_span_in_context(below, Context())
    elif below:
        context = _PROPAGATOR.extract({"traceparent": below}, Context())
    else:
        context = contexts.set_value(SAMPLED, sampled or bool(links), Context())
    told = dict(allowed.of_spans(attributes))
    return tracer().start_span(name, context, kind, told, links, record_exception=False)


def end(span: Span, failed: str | None = None) -> None:
    """End a span; `failed` is the kind of error, never its text."""
    if failed is not None:
        span.set_attribute("error.type", failed)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


class Told(Exception):
    """An error in words that are made of our own alone, for operators: such words may be logged."""


def kind_of(error: BaseException) -> str:
    """The kind of an error, which is all that is told of it: its text may repeat what somebody wrote."""
    return type(error).__qualname__


@contextmanager
def inside(span: Span | None) -> Iterator[None]:
    """Be inside a span until the block ends, which does not end it; where there is none, inside no span."""
    token = contexts.attach(trace.set_span_in_context(span or trace.INVALID_SPAN))
    try:
        yield
    finally:
        contexts.detach(token)


@contextmanager
def entered(span: Span | None, *usual: type[BaseException]) -> Iterator[None]:
    """Be inside a span until the block ends, and end it then; where there is none, nothing changes. What is raised is
    an error of the span's, unless it is `usual`."""
    if span is None:
        yield
        return
    try:
        with inside(span):
            yield
    except BaseException as error:
        end(span, None if isinstance(error, usual) else kind_of(error))
        raise
    end(span)


@contextmanager
def calling(method: str, scheme: str, host: str, port: int | None) -> Iterator[Callable[[int], None]]:
    """Call another server in the block, and say its status; a CLIENT span where we are inside a sampled trace. The URL
    is no part of it."""
    above, status = sampled_now(), 0

    def answered(code: int) -> None:
        nonlocal status
        status = code

    about = {"http.request.method": method, "url.scheme": scheme, "server.address": host}
    told: Attributes = {**about, "server.port": port or {"http": 80, "https": 443}.get(scheme)}
    span = begin(method, SpanKind.CLIENT, told, below=above) if above else None
    failed: str | None = None
    try:
        yield answered
    except BaseException as error:
        failed = kind_of(error)
        raise
    finally:
        if span is not None:
            if status:
                span.set_attribute("http.response.status_code", status)
            end(span, failed or (str(status) if status >= 400 else None))


def current() -> Span:
    """The span we are inside of, which records nothing where the trace is not sampled."""
    return trace.get_current_span()


def sampled_now() -> Span | None:
    """The span we are inside of, where its trace is sampled."""
    span = trace.get_current_span()
    return span if span.get_span_context().trace_flags.sampled else None


def trace_id() -> str:
    """The id of the trace we are in, hex; zeros where we are in none."""
    return format(trace.get_current_span().get_span_context().trace_id, "032x")


def context_of(traceparent: str) -> SpanContext:
    """What a `traceparent` names."""
    return trace.get_current_span(_PROPAGATOR.extract({"traceparent": traceparent}, Context())).get_span_context()


def link(traceparent: str, attributes: Attributes | None = None) -> Link:
    """A link to what a `traceparent` names."""
    return Link(context_of(traceparent), dict(allowed.of_spans(attributes or {})))


def traceparent_of(span: Span) -> str | None:
    """The header that makes others children of `span`."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")
