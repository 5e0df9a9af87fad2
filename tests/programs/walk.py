"""Walking through everything that the four services answer: each operation of their OpenAPI, as many people."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from contracts.streams import parts
from local.topics import SERVICES
from tests.programs.house import PATIENCE, House
from tests.programs.season import Season

ID = re.compile(r"\b([a-z]{2})_[a-z2-7]{26}\b")
IN_FLIGHT = 8
Answers = dict[tuple[str, str], list[Any]]
"""The answers to one operation, by its name and the role of who asked: one for each thing that can be asked for."""

_CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"(typed in|founder|sponsor)[ -][a-z]\b"), r"\1"),
    (re.compile(r'"millis": \d+'), '"millis": 0'),
)

BODIES: dict[str, dict[str, Any]] = {
    "answer_invitation": {"answer": "accepted"},
    "review_proposal": {"verdict": "rejected"},
    "swap_proposals": {"first": "pp_" + "a" * 26, "second": "pp_" + "b" * 26},
    "pick_pair": {"mentor": "pe_" + "a" * 26, "executive": "pe_" + "b" * 26},
    "ask_for_pair": {"mentor": "pe_" + "a" * 26, "executive": "pe_" + "b" * 26},
    "answer_consent": {"answer": "yes"},
    "book_session": {"window": 0, "channel": "video"},
    "move_session": {"start": "2190-01-01T12:00:00Z"},
    "hold_session": {"minutes": 30, "channel": "video"},
    "note_learning": {"tag": "learning", "text": "Not mine to note"},
    "raise_idea": {"theme": "learning", "text": "Not mine to raise"},
    "commit_action": {"owner": "executive", "due": "2190-01-01", "text": "Not mine to promise"},
    "evidence_action": {"kind": "practice", "text": "Not mine to show"},
    "grant_role": {"login": "x", "name": "X", "mail": "x@company.example", "role": "coordinator"},
    "invite": {"wave": 1},
    "enrol": {"side": "mentor"},
    "accept_charter": {"charter_version": 1},
    "declare_availability": {"windows": []},
    "declare_capacity": {"side": "mentor", "capacity": 1},
    "arrange_pause": {"starts": "2190-01-01"},
    "open_round": {"kind": "cohort"},
    "give_pulse": {"kind": "optimistic", "value": 3},
    "raise_insight": {"theme": "learning", "text": "Not mine to say"},
    "publish_report": {"kind": "health", "first": "2020-01-06", "last": "2020-01-12"},
}
"""What is sent with each operation that needs something: a program's stranger is refused before it is looked at."""


QUERIES: dict[str, dict[str, str]] = {
    "price_swap": {"first": "proposal", "second": "proposal"},
    "price_pick": {"mentor": "person", "executive": "person"},
}
"""What a question has to name besides its path: the kind of thing by the parameter. The first there is is named."""


SORTS = {"list_proposals": ("proposal", "-score", "mentor", "executive")}
"""The orders that a list can be asked for in."""


@dataclass(frozen=True)
class Operation:
    """One operation of one service; `needs` are the parameters of its path other than the program."""

    service: str
    method: str
    path: str
    name: str

    @property
    def needs(self) -> list[str]:
        return [name for name in re.findall(r"\{(\w+)\}", self.path) if name != "program"]

    @property
    def body(self) -> dict[str, Any] | None:
        return None if self.method == "GET" else BODIES.get(self.name, {})

    def paths(self, program: str, things: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """Its path in a program, once for each combination of the things that it is about."""
        named = QUERIES.get(self.name, {}) if self.method == "GET" else {}
        query = "?" * bool(named) + "&".join(f"{key}={things[kind][0]}" for key, kind in named.items())
        for chosen in itertools.product(*(things[name] for name in self.needs)):
            path = self.path.format(program=program, **dict(zip(self.needs, chosen, strict=True)))
            yield path + query
            if self.method == "GET":
                yield from (f"{path}?sort={sort}" for sort in SORTS.get(self.name, ()))


class Caller:
    """Asks the running services as anybody."""

    def __init__(self, services: House) -> None:
        self._services = services
        self._http = httpx.AsyncClient(timeout=60, trust_env=False)
        self._gate = asyncio.Semaphore(IN_FLIGHT)

    async def ask(self, who: str, operation: Operation, path: str) -> httpx.Response:
        """The answer; asked again while a service has not heard of the caller yet."""
        headers = {"Authorization": f"Bearer {self._services.installation.token(who)}", "If-Match": '"1"'}
        url = f"{self._services.urls[operation.service]}{path}"
        async with self._gate, asyncio.timeout(PATIENCE):
            while True:
                answer = await self._http.request(operation.method, url, headers=headers, json=operation.body)
                if answer.status_code != 503:
                    return answer
                await asyncio.sleep(0.05)

    async def operations(self) -> list[Operation]:
        """Every operation there is, programs' and others'."""
        found = []
        for service in SERVICES:
            spec = (await self._http.get(f"{self._services.urls[service]}/{service}/v1/openapi.json")).json()
            for path, methods in spec["paths"].items():
                if path.startswith(f"/{service}/"):
                    found += [Operation(service, m.upper(), path, what["operationId"]) for m, what in methods.items()]
        return found

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()


def things_of(services: House, program: str) -> dict[str, list[str]]:
    """The ids of everything in a program, by the name a path has for it: taken from the four journals."""
    found: dict[str, list[str]] = {}
    with services.root() as client:
        for service in SERVICES:
            streams = client[f"counterpoint_{service}"]["journal"].distinct("stream")
            for _, category, id in sorted(parts(s) for s in streams if s.startswith(f"{program}/")):
                found.setdefault(category, []).append(id)
        reports = client["counterpoint_insights"]["documents"].find({"scope": program, "kind": "report"})
        found["person"] = found.get("participation", [])
        found["pause"] = ["pz_" + "a" * 26]
        found["report"] = sorted(doc["doc"]["report"] for doc in reports)
    return found


async def read_all(services: House, season: Season) -> Answers:
    """Every answer that the people of a program get there, by operation and who asked."""
    things = things_of(services, season.program)
    async with Caller(services) as caller:
        asked = [
            ((operation.name, role), caller.ask(who, operation, path))
            for operation in await caller.operations()
            if operation.method == "GET" and "{program}" in operation.path
            for path in operation.paths(season.program, things)
            for role, who in season.people().items()
        ]
        answers: Answers = {}
        for (key, _), answer in zip(asked, await asyncio.gather(*(job for _, job in asked)), strict=True):
            answers.setdefault(key, []).append({"status": answer.status_code, "body": answer.json()})
        return answers


def comparable(value: Any, own: Mapping[str, str]) -> Any:
    """An answer without what differs between any two programs: ids, moments, digests, and the order of ids.

    `own` are names for persons that are in one program only.
    """
    text = json.dumps(value, ensure_ascii=False)
    for person, name in own.items():
        text = text.replace(person, name)
    text = ID.sub(lambda found: found[0] if found[1] == "pe" else f"{found[1]}_*", text)
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return _in_order(json.loads(text))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value
