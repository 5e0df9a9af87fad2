"""Problem details (RFC 9457): every refusal says what is wrong, where, and the way out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.deciding.commands import Conflict, KeyReused, Stale
from chassis.deciding.decider import Refused
from chassis.receiving.consumer import KafkaError
from chassis.running.auth import BadToken, NoKeys
from chassis.running.logs import about
from chassis.running.mongo import PyMongoError
from contracts.catalog import NewerVersion

AGAIN = "repeat the request, a command with its Idempotency-Key: whether it was done is not known"
TYPE = "urn:counterpoint:problem:"
_log = logging.getLogger("counterpoint.http")


class Problem(Exception):
    """An answer that is not what was asked for. `code` names the type of problem; `pointer` the field at fault."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        pointer: str | None = None,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = [*errors, *([{"pointer": pointer, "detail": detail}] if pointer else [])]

    def response(self) -> JSONResponse:
        """The answer as `application/problem+json`."""
        body: dict[str, Any] = {
            "type": TYPE + self.code,
            "title": self.code.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = self.errors
        return JSONResponse(body, self.status, self.headers, "application/problem+json")


def later(code: str, detail: str, seconds: int = 1) -> Problem:
    """503 with Retry-After: true in a moment, not now."""
    return Problem(503, code, detail, headers={"Retry-After": str(seconds)})


def install(app: FastAPI) -> None:
    """Answer every exception as a problem."""
    handled = (Problem, Refused, Stale, KeyReused, Conflict, BadToken, RequestValidationError, HTTPException)
    for kind in (*handled, NoKeys, NewerVersion, PyMongoError, KafkaError):
        app.add_exception_handler(kind, _handle)
    app.add_middleware(Unexpected)


class Unexpected:
    """ASGI middleware: answers what nobody knows. The server would do so when the request's span is over."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            await (await _handle(Request(scope), error))(scope, receive, send)


async def _handle(request: Request, error: Exception) -> JSONResponse:
    problem = _problem(error)
    request.scope["problem"] = problem.code
    return problem.response()


def _problem(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(422 if error.pointer else 409, error.code, error.detail, pointer=error.pointer)
        case Stale():
            return Problem(412, "stale", f"{error}; read it again and repeat with the new ETag")
        case KeyReused():
            return Problem(422, "idempotency-key-reused", f"{error}; use a new key for a new request")
        case NewerVersion():
            return later("newer-release", f"{error}; a newer release of this service is being brought out", 5)
        case Conflict():
            return later("conflict", str(error))
        case BadToken():
            return Problem(401, "unauthenticated", str(error), headers={"WWW-Authenticate": "Bearer"})
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return Problem(error.status_code, _CODES.get(error.status_code, "http-error"), str(error.detail))
        case PyMongoError():
            _log.warning("the database did not answer", extra=about(error))
            return later("database-unavailable", f"the database does not answer at the moment; {AGAIN}", 2)
        case KafkaError():
            return later("kafka-unavailable", "Kafka does not answer at the moment", 2)
        case NoKeys():
            return later("issuer-unavailable", str(error), 5)
    _log.error("a request failed", exc_info=error)
    return Problem(500, "unexpected", f"something went wrong on our side; {AGAIN}")


_CODES = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}


def _invalid(error: RequestValidationError) -> Problem:
    errors = []
    for e in error.errors():
        where, *path = e["loc"]
        message = "is not a known field" if e["type"] == "extra_forbidden" else e["msg"].removeprefix("Value error, ")
        if where == "body":
            errors.append({"pointer": "".join(f"/{p}" for p in path), "detail": message})
        else:
            errors.append({"parameter": str(path[0]) if path else str(where), "detail": message})
    first = errors[0]
    return Problem(
        422,
        "invalid-request",
        f"{first.get('pointer') or first.get('parameter') or 'the body'}: {first['detail']}",
        errors=errors,
    )
