"""Faults in how events are shown: the page is reached by others, or does what spans say."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from cli.viewer import server
from tests.planted import Fault

_PAGE = "tests/cli/test_viewer.py::"


def any_host(app: ASGIApp, **_: Any) -> ASGIApp:
    """Answer under every name."""
    return app


def markup() -> None:
    """Read whatever is written on the page as markup."""
    page = Path(tempfile.mkdtemp(prefix="counterpoint-planted-")) / "page"
    shutil.copytree(server.PAGE, page)
    dom = page / "dom.js"
    text = dom.read_text()
    written = "node.append(child instanceof Node ? child : document.createTextNode(String(child)));"
    assert written in text
    read = "if (child instanceof Node) node.append(child); else node.insertAdjacentHTML('beforeend', child);"
    dom.write_text(text.replace(written, read))
    server.PAGE = page


FAULTS = [
    Fault(
        "the-page-is-for-all-machines",
        "running",
        "cli/viewer/server.py",
        lambda: setattr(server, "HOST", "0.0.0.0"),  # noqa: S104
        (_PAGE + "test_it_listens_on_loopback_only",),
    ),
    Fault(
        "the-page-answers-to-any-name",
        "running",
        "cli/viewer/server.py",
        lambda: setattr(server, "TrustedHostMiddleware", any_host),
        (_PAGE + "test_a_name_of_somebody_else_that_leads_here_is_refused",),
    ),
    Fault(
        "the-page-may-load-anything",
        "running",
        "cli/viewer/server.py",
        lambda: server.HEADERS.update({"content-security-policy": "default-src * 'unsafe-inline'"}),
        (_PAGE + "test_every_answer_says_what_a_browser_may_do_with_it",),
    ),
    Fault(
        "what-spans-say-is-read-as-markup",
        "running",
        "cli/viewer/page/dom.js",
        markup,
        ("tests/e2e/test_viewer.py::test_what_spans_say_is_only_ever_text",),
    ),
]
