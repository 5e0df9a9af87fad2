"""What a handler gets: who is calling and where, commands to run, views to read, and answers in one shape."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, field_validator

from chassis.deciding.commands import Origin, Outcome, Write, body_digest, command_id
from chassis.deciding.decider import Aggregate, On, S
from chassis.running import spans
from chassis.running.answering import Patience
from chassis.running.auth import Caller
from chassis.running.problems import Problem, later
from chassis.running.service import ANYONE, FOUNDER, TOKEN
from contracts.streams import ORG
from contracts.types import Word

if TYPE_CHECKING:
    from chassis.running.runtime import Runtime

__all__ = ["Body", "Context", "Ctx", "Problem", "Response", "refuse_unknown"]

AFTER = "Counterpoint-After"
_KEY = re.compile(r"^[\x21-\x7e]{1,200}$")
_ETAG = re.compile(r'^"(\d+)"$')


class Body(BaseModel):
    """A request's body. Unknown fields are refused, and so is a word that is not on its list."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _no_unknown_word(cls, value: Any) -> Any:
        refuse_unknown(value)
        return value


def refuse_unknown(value: Any) -> None:
    """Raise ValueError where a word, or one in a list or map, is what only a reader may take as `unknown`."""
    for word in value if isinstance(value, list | tuple | dict) else (value,):
        if isinstance(word, Word) and word.value == "unknown":
            raise ValueError(f"must be one of: {', '.join(w.value for w in type(word) if w.value != 'unknown')}")


class Ctx:
    """One request: the caller as this service knows them, and everything a handler may do."""

    def __init__(
        self, request: Request, runtime: Runtime, caller: Caller, scope: str, body: bytes, patience: Patience
    ) -> None:
        self.request = request
        self.caller = caller
        self.scope = scope
        self.views = runtime.inbox.reader
        self.documents = runtime.documents
        self.latest = runtime.latest
        self.cuts = runtime.erasing.cuts
        self._runtime = runtime
        self._patience = patience
        key = request.headers.get("Idempotency-Key")
        if key is not None and not _KEY.match(key):
            raise Problem(400, "idempotency-key", "Idempotency-Key must be 1 to 200 visible ASCII characters")
        self._id = command_id(caller.subject_hash, f"{request.method} {request.url.path}", key or secrets.token_hex(16))
        self._body_digest = body_digest(body + b"\0" + request.url.query.encode())

    @property
    def contents(self) -> Any:
        """Encrypted texts of this service."""
        return self._runtime.contents

    def now(self) -> datetime:
        """UTC, to the millisecond."""
        return self._runtime.clock.now()

    def new_id(self, prefix: str, which: str = "") -> str:
        """The id of a thing this request creates; a repeat with the same Idempotency-Key meets the same id."""
        return self._origin().new_id(prefix, which)

    def subject_hash_of(self, login: str) -> str:
        """The hash by which a subject of our issuer is recognised."""
        return self._runtime.tokens.subject_hash(login)

    def keyed_hash(self, *parts: str) -> str:
        """A hash (hex, 64 characters) that only this service can compute."""
        return self._runtime.keyed_hash(*parts)

    def expect(self) -> int:
        """The version in If-Match. Raises 428 where there is none."""
        given = self.request.headers.get("If-Match")
        if given is None:
            raise Problem(428, "precondition-required", "send If-Match with the ETag you read")
        found = _ETAG.match(given)
        if not found:
            raise Problem(400, "if-match", 'If-Match must be an ETag such as "3"')
        return int(found[1])

    async def run(self, *on: On, also: Sequence[Write] = (), anonymous: bool = False) -> Outcome:
        """Run one command over one or more streams: all of them or none.

        `anonymous` keeps neither who asked nor the trace of the request: for facts that nobody may join to a person.
        """
        return await self._runtime.run(self._origin(anonymous), *on, also=also)

    def _origin(self, anonymous: bool = False) -> Origin:
        if anonymous:
            # Keyed: whoever guesses an Idempotency-Key must not be able to test whose command it was.
            id, digest = (self.keyed_hash("command", part)[:40] for part in (self._id, self._body_digest))
            return Origin(id, digest, correlation=id, anonymous=True)
        return Origin(
            self._id,
            self._body_digest,
            correlation=spans.trace_id(),
            traceparent=spans.traceparent_of(spans.current()),
            actor=self.caller.person,
        )

    async def read(self, aggregate: Aggregate[S], stream: str) -> tuple[S, int]:
        """The exact state of one thing and its version; version 0 where there is none."""
        return await self._runtime.commands.read(aggregate, stream)

    async def read_each(self, aggregate: Aggregate[S], streams: Sequence[str]) -> dict[str, S]:
        """The exact states of many things of one kind."""
        return await self._runtime.commands.read_each(aggregate, streams)

    async def scan(self, aggregate: Aggregate[S], scope: str, beginning: str = "") -> list[tuple[str, S]]:
        """The state of every thing of one kind in a scope, whose id begins so: for sealed facts, which no view has."""
        return await self._runtime.commands.scan(aggregate, scope, beginning)

    async def all_heard(self) -> None:
        """Wait until this service has heard everything that was said before this request; 503 where that takes long."""
        self._patience.end()
        try:
            await self._runtime.wait_until_all_heard()
        finally:
            self._patience.begin()

    @contextmanager
    def taking(self, seconds: float) -> Iterator[None]:
        """What is done within may take so long, and what follows has all its time again: for what takes longer the more
        people there are."""
        self._patience.end()
        self._patience.begin(seconds)
        try:
            yield
        finally:
            self._patience.end()
            self._patience.begin()

    def answer(self, outcome: Outcome, status: int = 200, **fields: Any) -> Response:
        """The answer to a command: what it made, and how to ask for its effects (`Counterpoint-After`).

        Sealed streams are left out: nobody could wait for them, and they are nobody's business.
        """
        after = [v for v in outcome.after if self._runtime.is_published(v)]
        return JSONResponse({**fields, "after": after}, status, {AFTER: ", ".join(after)} if after else None)

    def single(self, body: BaseModel | Mapping[str, Any], version: int) -> Response:
        """The answer to a question for one thing, with its version as ETag."""
        content = body.model_dump(mode="json") if isinstance(body, BaseModel) else dict(body)
        return JSONResponse(content, headers={"ETag": f'"{version}"'})

    def missing(self, what: str) -> Problem:
        """404: raise it."""
        return Problem(404, "not-found", f"there is no such {what} here")


async def context(request: Request) -> AsyncIterator[Ctx]:
    """Verify the token, recognise the caller, check the policy, and wait for what the caller has already seen."""
    runtime: Runtime = request.app.state.runtime
    patience = request.scope["patience"] = Patience(runtime.settings.answer_seconds)
    patience.begin()
    try:
        yield await _context(request, runtime, patience)
    finally:
        patience.end()


async def _context(request: Request, runtime: Runtime, patience: Patience) -> Ctx:
    token = await runtime.tokens.verify(request.headers.get("Authorization"))
    scope = str(request.path_params.get("program", ORG))
    allowed = runtime.service.policy[request.scope["route"].name]
    await runtime.wait_until_seen(",".join(request.headers.getlist(AFTER)))
    caller = Caller(token)
    if scope != ORG:
        caller = await runtime.service.directory.find(token, scope, runtime.inbox.reader)
    if not _may(caller, allowed, runtime.settings.founders):
        if not caller.roles and scope != ORG and not runtime.caught_up():
            raise later("not-yet-known", "you are not known here yet; try again in a moment")
        if caller.person is None and FOUNDER not in allowed:
            raise Problem(403, "forbidden", "nobody in this program has your token's subject")
        raise Problem(403, "forbidden", f"this is for: {', '.join(sorted(allowed))}")
    return Ctx(request, runtime, caller, scope, await request.body(), patience)


def _may(caller: Caller, allowed: frozenset[str], founders: frozenset[str]) -> bool:
    return (
        TOKEN in allowed
        or (FOUNDER in allowed and caller.subject in founders)
        or (ANYONE in allowed and caller.person is not None)
        or bool(caller.roles & allowed)
    )


Context = Annotated[Ctx, Depends(context)]
