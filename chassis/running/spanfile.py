"""Finished spans as lines of a file, one JSON object each: what `counterpoint trace` and the viewer read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext


class SpanFile(SpanExporter):
    """Appends finished spans to a file of the local stack."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        with self._path.open("a") as out:
            out.writelines(json.dumps(plain(span)) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


def plain(span: ReadableSpan) -> dict[str, Any]:
    """One line. Ids are hex, times nanoseconds since the epoch; `parent` is null where a trace begins."""
    context, parent, resource = span.get_span_context(), span.parent, span.resource.attributes
    assert context is not None
    return {
        **_ids(context),
        "parent": format(parent.span_id, "016x") if parent else None,
        "links": [_ids(link.context) for link in span.links],
        "service": resource.get("service.name"),
        "role": resource.get("counterpoint.role"),
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name.lower(),
        "attributes": dict(span.attributes or {}),
    }


def _ids(context: SpanContext) -> dict[str, str]:
    return {"trace": format(context.trace_id, "032x"), "span": format(context.span_id, "016x")}
