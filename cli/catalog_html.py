"""The catalogue as one page for browsers: searchable, everything it needs inside, no request to anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from pathlib import Path

from cli.entries import Entry
from cli.kept import Sample, project_version
from cli.schemas import rows

ASSETS = Path(__file__).parent / "catalog_page"
AUDIENCES = {
    "public": "Any system may subscribe",
    "internal": "Counterpoint's own services only",
    "sealed": "In its service's journal, published nowhere",
    "state": "The newest record of each key, for Counterpoint's own services",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{csp}">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>Counterpoint: the facts</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>The facts of Counterpoint</h1>
<p>Whatever happens in a reverse-mentoring program is said once, as a CloudEvent on Kafka, and never changed. Public
facts are for any system, from the beginning. No fact has a name, an address or a free text in it.</p>
<p class="keys"><kbd>/</kbd> search, <kbd>↓</kbd> <kbd>↑</kbd> go through, <kbd>Enter</kbd> open, <kbd>Esc</kbd> all
again. Release {version}.</p>
</header>
<div class="tools">
<div class="search"><input type="search" aria-label="Search the facts" autocomplete="off" spellcheck="false"
placeholder="A fact, a field, a word, a topic …"><output aria-live="polite"></output></div>
<div class="chips" role="group" aria-label="Audience">{chips}</div>
</div>
<div class="whole">
<nav aria-label="Facts">{nav}</nav>
<main>{sections}
<p class="none" hidden>Nothing has all these words in it. <kbd>Esc</kbd> shows everything again.</p></main>
</div>
<script>{script}</script>
</body>
</html>
"""


def page(entries: list[Entry]) -> str:
    """The text of docs/catalog.html."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault("state topics" if entry.is_state else entry.owner, []).append(entry)
    style, script = ((ASSETS / name).read_text() for name in ("page.css", "page.js"))
    chips = (
        f'<button type="button" value="{name}" aria-pressed="false" title="{about}">{name}</button>'
        for name, about in AUDIENCES.items()
    )
    return _PAGE.format(
        csp=_policy(style, script),
        style=style,
        script=script,
        version=project_version(),
        chips="".join(chips),
        nav="".join(_links(name, told) for name, told in groups.items()),
        sections="".join(_section(name, told) for name, told in groups.items()),
    )


def _policy(style: str, script: str) -> str:
    """What the page may load and run: what is in it, named by its digest, and nothing else."""
    sources = (f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in (style, script))
    own_style, own_script = sources
    return (
        f"default-src 'none'; style-src {own_style}; script-src {own_script}; img-src data:; base-uri 'none';"
        " form-action 'none'"
    )


def _id(entry: Entry) -> str:
    return entry.name if entry.newest else entry.stem


def _links(name: str, told: list[Entry]) -> str:
    links = "".join(f'<a href="#{_id(entry)}">{entry.name}</a>' for entry in told if entry.newest)
    return f"<div><h2>{name}</h2>{links}</div>"


def _section(name: str, told: list[Entry]) -> str:
    return f"<section><h2>{name.capitalize()}</h2>{''.join(map(_card, told))}</section>"


def _card(entry: Entry) -> str:
    audience = "state" if entry.is_state else entry.audience
    version = "" if entry.newest else f" version {entry.v}"
    badges = [audience, *([entry.status] if entry.status != "current" else [])]
    first, _, rest = entry.meaning.partition("\n\n")
    parts = (
        f'<details id="{_id(entry)}" data-audience="{audience}"><summary><h3>{entry.name}{version}</h3>',
        "".join(f'<span class="badge {badge}">{badge}</span> ' for badge in badges),
        f'<p>{_prose(first)}</p></summary><div class="body">',
        f"<p>{_prose(rest)}</p>" if rest else "",
        f'<p class="isnt">{_prose(entry.isnt)}</p>' if entry.isnt else "",
        _facts(entry),
        _table(entry),
        "<h4>Examples</h4>",
        *map(_example, entry.samples),
        "</div></details>\n",
    )
    return "".join(parts)


def _facts(entry: Entry) -> str:
    told = {
        "Topic": f"`{entry.topic}`" if entry.topic else "published nowhere",
        "Key": f"`{entry.key}`",
        "Order": entry.ordering,
        "Kept": entry.retention,
        "Owner": entry.owner,
        "Since": f"{entry.since}, version {entry.v} of its fields",
        "Heard by": ", ".join(entry.hearers) or ("the four services" if entry.is_state else "its own service only"),
        "Schema": f"`contracts/schemas/{entry.stem}.json`",
    }
    if entry.retiring:
        told["Retiring"] = str(entry.retiring)
    elif entry.instead:
        told["Instead"] = entry.instead
    return "<dl>" + "".join(f"<dt>{k}</dt><dd>{_prose(v)}</dd>" for k, v in told.items()) + "</dl>"


def _table(entry: Entry) -> str:
    lines = (
        f"<tr><td><code>{escape(name)}</code></td><td>{_prose(kind)}</td><td>{_prose(note)}</td></tr>"
        for name, kind, note in rows(entry.schema)
    )
    head = "<thead><tr><th>field</th><th>type</th><th></th></tr></thead>"
    return f"<table><caption>Fields</caption>{head}<tbody>{''.join(lines)}</tbody></table>"


def _example(sample: Sample) -> str:
    return f'<pre tabindex="0">{escape(json.dumps(sample["data"], indent=1, ensure_ascii=False), quote=False)}</pre>'


def _prose(text: str) -> str:
    """A text of the contracts, with its code marked as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
