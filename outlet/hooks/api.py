"""Webhooks over HTTP: whoever may read the feed may have it sent, and sees, pauses, repeats and ends what is theirs."""

from __future__ import annotations

import hmac
import json
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

import httpcore
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from chassis.running.auth import Token
from chassis.running.http import Body
from chassis.running.mongo import Document
from chassis.running.problems import Problem
from outlet import cursor as cursors
from outlet.api import Subscriber, asked_programs, asked_types, runtime_of
from outlet.hooks.keeping import (
    ACTIVE,
    DELIVERED,
    DROPPED,
    DUE,
    OVERLAP,
    PAUSED,
    UNVERIFIED,
    Keeping,
)  # fmt: skip
from outlet.hooks.reaching import NotAllowed, check_url
from outlet.hooks.sending import good_secrets, headers_of, question_of
from outlet.hooks.signing import new_secret
from outlet.hooks.webhooks import Webhooks
from outlet.question import Question

MOST = 20
"""Webhooks of one subscriber."""
_CHALLENGE = "counterpoint.outlet.EndpointVerification"

router = APIRouter(prefix="/webhooks/v1")


async def webhooks(request: Request) -> Webhooks:
    """What there is for webhooks here. Raises 501 where there is no database for them."""
    found = runtime_of(request).webhooks
    if found is None:
        raise Problem(501, "no-webhooks", "there are no webhooks here: an operator has to set MONGO_URI; read the feed")
    return found


Hooks = Annotated[Webhooks, Depends(webhooks)]
Begin = Literal["beginning", "end"]


class NewWebhook(Body):
    """Where to send what. Without `types` or `programs`, all that the subscriber may hear."""

    url: str = Field(max_length=2000)
    types: list[str] | None = Field(default=None, min_length=1, max_length=50)
    programs: list[str] | None = Field(default=None, min_length=1, max_length=50)
    begin: Begin = "beginning"


class Resume(Body):
    """Where to go on: where it was paused, or elsewhere."""

    begin: Begin | None = None


class Again(Body):
    """Which deliveries to send again: one, or all that were made since a moment."""

    delivery: str | None = Field(default=None, max_length=100)
    since: AwareDatetime | None = None


@router.post("", status_code=201)
async def add_webhook(request: Request, who: Subscriber, hooks: Hooks, new: NewWebhook) -> Response:
    """Make a webhook. The answer has its secret, which is never shown again; nothing is sent until it is verified."""
    try:
        check_url(new.url, plain=hooks.plain)
    except NotAllowed as refused:
        raise Problem(422, "invalid-request", str(refused), pointer="/url") from None
    question = _question(request, who, new)
    if len(await hooks.keeping.of(who.subject)) >= MOST:
        raise Problem(409, "too-many-webhooks", f"there are {MOST} already; delete one first")
    id, secret, now = "wh_" + secrets.token_hex(12), new_secret(), hooks.now()
    webhook = {
        "_id": id, "subject": who.subject, "url": new.url, "question": question.digest,
        "types": sorted(question.types) if question.types is not None else None,
        "programs": sorted(question.programs) if question.programs is not None else None,
        "state": UNVERIFIED, "why": None, "made_at": now, "since": now,
        "secrets": [{"sealed": hooks.sealing.seal(id, secret), "until": None}],
        "cursor": _cursor(request, question, new.begin),
    }  # fmt: skip
    if not await hooks.keeping.add(webhook):
        raise Problem(409, "webhook-exists", "there is one for this URL, these types and programs already; list yours")
    return JSONResponse({**_told(webhook), "secret": secret}, 201, {"Location": f"/webhooks/v1/{id}"})


@router.get("")
async def list_webhooks(who: Subscriber, hooks: Hooks) -> dict[str, Any]:
    """The subscriber's webhooks, and how they are."""
    return {"items": [await _with_counts(hooks.keeping, doc) for doc in await hooks.keeping.of(who.subject)]}


@router.get("/{webhook}")
async def read_webhook(webhook: str, who: Subscriber, hooks: Hooks) -> dict[str, Any]:
    """One of them. `why` says why it is paused: asked, dead, gone, not-allowed, cursor-gone."""
    return await _with_counts(hooks.keeping, await _mine(hooks, who, webhook))


@router.post("/{webhook}/verify")
async def verify_webhook(webhook: str, who: Subscriber, hooks: Hooks) -> dict[str, Any]:
    """Send a signed challenge to the endpoint, which has to answer with it; then deliveries begin."""
    doc = await _mine(hooks, who, webhook)
    if doc["state"] == PAUSED:
        raise Problem(409, "webhook-paused", "it is paused; resume it, which verifies it too")
    await _verify(hooks, doc)
    await hooks.keeping.change(webhook, {"state": ACTIVE, "why": None, "since": hooks.now()}, state=doc["state"])
    return _told(await _mine(hooks, who, webhook))


@router.post("/{webhook}/pause")
async def pause_webhook(webhook: str, who: Subscriber, hooks: Hooks) -> dict[str, Any]:
    """Send nothing until it is resumed; nothing is lost meanwhile."""
    await _mine(hooks, who, webhook)
    changes = {"state": PAUSED, "why": "asked", "since": hooks.now()}
    await hooks.keeping.change(webhook, changes, state=ACTIVE)
    return _told(await _mine(hooks, who, webhook))


@router.post("/{webhook}/resume")
async def resume_webhook(request: Request, webhook: str, who: Subscriber, hooks: Hooks, how: Resume) -> dict[str, Any]:
    """Verify the endpoint, and go on where it was paused. What failed is tried again now."""
    doc = await _mine(hooks, who, webhook)
    if doc["state"] != PAUSED:
        raise Problem(409, "webhook-not-paused", "it is not paused")
    if not hooks.allowed(doc):
        raise Problem(403, "forbidden", "you may not hear any more what this webhook is for; delete it")
    if doc["why"] == "cursor-gone" and how.begin is None:
        raise Problem(409, "cursor-gone", "where it was is gone; say `begin`: beginning or end", pointer="/begin")
    await _verify(hooks, doc)
    moved = {"cursor": _cursor(request, question_of(doc), how.begin)} if how.begin else {}
    await hooks.keeping.again(webhook, hooks.now(), {"state": DUE})
    await hooks.keeping.change(webhook, {"state": ACTIVE, "why": None, "since": hooks.now(), **moved}, state=PAUSED)
    return _told(await _mine(hooks, who, webhook))


@router.post("/{webhook}/secrets")
async def rotate_secret(webhook: str, who: Subscriber, hooks: Hooks) -> dict[str, Any]:
    """Make another secret, shown once. For a day everything is signed with the one before too."""
    doc = await _mine(hooks, who, webhook)
    now, secret = hooks.now(), new_secret()
    old = {"sealed": doc["secrets"][0]["sealed"], "until": now + OVERLAP}
    new = {"sealed": hooks.sealing.seal(webhook, secret), "until": None}
    if not await hooks.keeping.change(webhook, {"secrets": [new, old]}, epoch=doc["epoch"]):
        raise Problem(409, "conflict", "it was changed at the same moment; ask again")
    return {"id": webhook, "secret": secret, "before_until": old["until"].isoformat()}


@router.delete("/{webhook}", status_code=204)
async def remove_webhook(webhook: str, who: Subscriber, hooks: Hooks) -> Response:
    """End it, and forget everything about it."""
    await _mine(hooks, who, webhook)
    await hooks.keeping.remove(webhook)
    return Response(status_code=204)


@router.get("/{webhook}/deliveries")
async def list_deliveries(
    webhook: str,
    who: Subscriber,
    hooks: Hooks,
    state: Literal["due", "delivered", "dropped"] | None = None,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Deliveries in the order in which they were made: what is due, and what was done in the last week."""
    await _mine(hooks, who, webhook)
    found = await hooks.keeping.listed(webhook, state, _place(after), limit)
    following = f"{found[-1]['made_at'].isoformat()}~{found[-1]['_id']}" if len(found) == limit else None
    return {"items": [_delivery(doc) for doc in found], "next": following}


@router.post("/{webhook}/deliveries/again")
async def replay_deliveries(webhook: str, who: Subscriber, hooks: Hooks, which: Again) -> dict[str, Any]:
    """Send deliveries again, each stream in order, each with the id it had."""
    if (which.delivery is None) == (which.since is None):
        raise Problem(422, "invalid-request", "name one of delivery and since", pointer="/delivery")
    await _mine(hooks, who, webhook)
    wanted = {"_id": which.delivery} if which.delivery else {"made_at": {"$gte": which.since}}
    count = await hooks.keeping.again(webhook, hooks.now(), {**wanted, "state": {"$in": [DUE, DELIVERED, DROPPED]}})
    if not count:
        raise Problem(404, "not-found", "there is no such delivery any more")
    await hooks.keeping.change(webhook, {})
    return {"again": count}


@router.delete("/{webhook}/deliveries/{delivery}", status_code=204)
async def drop_delivery(webhook: str, delivery: str, who: Subscriber, hooks: Hooks) -> Response:
    """Give one up, so that its stream goes on without it."""
    await _mine(hooks, who, webhook)
    if not await hooks.keeping.drop(webhook, delivery, hooks.now()):
        raise Problem(404, "not-found", "there is no such delivery that is due")
    await hooks.keeping.change(webhook, {})
    return Response(status_code=204)


# -- what they have in common ---------------------------------------------------------------------------------------


async def _mine(hooks: Webhooks, who: Token, id: str) -> Document:
    found = await hooks.keeping.get(id, who.subject)
    if found is None:
        raise Problem(404, "not-found", "you have no such webhook")
    return found


async def _verify(hooks: Webhooks, doc: Document) -> None:
    """Raises 409 where the endpoint does not answer with the challenge."""
    challenge = secrets.token_urlsafe(24)
    body = json.dumps({"type": _CHALLENGE, "challenge": challenge}).encode()
    good = good_secrets(doc, hooks.sealing, hooks.now())
    headers = headers_of(good, "msg_" + secrets.token_hex(16), body)
    headers["Content-Type"] = "application/json"
    try:
        answer = await hooks.endpoints.post(doc["url"], headers, body)
        said = json.loads(answer.body) if 200 <= answer.status < 300 else None
        same = isinstance(said, dict) and hmac.compare_digest(str(said.get("challenge")), challenge)
        why = "" if same else f"it answered {answer.status}, without the challenge"
    except NotAllowed as refused:
        why = str(refused)
    except ValueError:
        why = "it answered with what is no JSON"
    except (httpcore.TimeoutException, TimeoutError):
        why = "it did not answer in time"
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        why = "it cannot be reached"
    if why:
        detail = (
            f'the endpoint is not verified: {why}; it has to answer 200 and {{"challenge": …}} with the one it gets'
        )
        raise Problem(409, "not-verified", detail)


def _question(request: Request, who: Token, new: NewWebhook) -> Question:
    runtime = runtime_of(request)
    return Question(asked_types(runtime, new.types), asked_programs(runtime, who, new.programs))


def _cursor(request: Request, question: Question, begin: Begin) -> str:
    runtime = runtime_of(request)
    cursor = runtime.pages.begin(question) if begin == "beginning" else runtime.pages.end(question)
    return cursors.write(cursor, runtime.settings.cursor_key)


def _place(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    at, _, id = after.partition("~")
    try:
        return datetime.fromisoformat(at), id
    except ValueError:
        raise Problem(422, "invalid-request", "after: send the `next` of a page as it is") from None


def _told(doc: Document) -> dict[str, Any]:
    return {
        "id": doc["_id"], "url": doc["url"], "types": doc["types"], "programs": doc["programs"], "state": doc["state"],
        "why": doc["why"], "since": doc["since"].isoformat(), "made_at": doc["made_at"].isoformat(),
        "secrets": [{"until": s["until"].isoformat() if s["until"] else None} for s in doc["secrets"]],
    }  # fmt: skip


async def _with_counts(keeping: Keeping, doc: Document) -> dict[str, Any]:
    return {**_told(doc), **await keeping.count(doc["_id"])}


def _delivery(doc: Document) -> dict[str, Any]:
    last = doc["last"]
    return {
        "id": doc["_id"], "event": doc["event"], "state": doc["state"], "attempts": doc["attempts"],
        "failures": doc["failures"], "made_at": doc["made_at"].isoformat(),
        "due_at": doc["due_at"].isoformat() if doc["state"] == DUE else None,
        "last": {**last, "at": last["at"].isoformat()} if last else None,
    }  # fmt: skip
