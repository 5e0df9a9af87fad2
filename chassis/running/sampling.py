"""Which traces are kept from their beginning: a share of all, what a sampled caller asks for, and whole programs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from opentelemetry.context import Context, get_value
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBasedTraceIdRatio,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from chassis.running.spans import SAMPLED

USUAL = ("parentbased_traceidratio", "0.05")
"""What `OTEL_TRACES_SAMPLER` and its `_ARG` are where nobody says."""


def told(default: str | None = None) -> Sampler:
    """The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name. ValueError where they do not."""
    name = os.environ.get("OTEL_TRACES_SAMPLER") or default or USUAL[0]
    share = os.environ.get("OTEL_TRACES_SAMPLER_ARG") or USUAL[1]
    fixed: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "parentbased_always_on": DEFAULT_ON,
        "parentbased_always_off": DEFAULT_OFF,
    }
    if name in fixed:
        return fixed[name]
    by_ratio = {"traceidratio": TraceIdRatioBased, "parentbased_traceidratio": ParentBasedTraceIdRatio}
    if name not in by_ratio:
        raise ValueError(f"OTEL_TRACES_SAMPLER must be one of: {', '.join([*fixed, *by_ratio])}")
    try:
        return by_ratio[name](float(share))
    except ValueError:
        raise ValueError("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1") from None


class Programs(Sampler):
    """Keeps every trace of some programs, whatever `others` would say: those listed, and a `share` of all programs.

    Which programs are in the share follows from their ids alone, so every service and every restart agrees. What is
    linked to a sampled trace is sampled as well.
    """

    def __init__(self, others: Sampler, listed: frozenset[str] = frozenset(), share: float = 0.0) -> None:
        self._others = others
        self._listed = listed
        self._share = share

    def keeps(self, program: str) -> bool:
        """Whether all traces of a program are kept."""
        return program in self._listed or (self._share > 0 and place(program) < self._share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        program = (attributes or {}).get("counterpoint.program")
        whole = (isinstance(program, str) and self.keeps(program)) or get_value(SAMPLED, parent_context)
        sampler = ALWAYS_ON if whole else self._others
        return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links)

    def get_description(self) -> str:
        return f"Programs{{listed:{len(self._listed)},share:{self._share},others:{self._others.get_description()}}}"


def place(program: str) -> float:
    """Where a program falls between 0 and 1, by the digest that collectors look at too (`deploy/otel/sampler.yaml`)."""
    return int.from_bytes(hashlib.sha256(program.encode()).digest()[:8], "big") / 2**64
