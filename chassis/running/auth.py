"""Who is calling: a token is verified here, and its subject is recognised from this service's own views."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from chassis.receiving.views import StateView, View, Views
from chassis.running import spans
from chassis.running.logs import about
from chassis.running.settings import Process

ALGORITHMS = ("ES256", "RS256", "EdDSA")
_REFRESH = 300.0
_RETRY = 10.0
_log = logging.getLogger("counterpoint.http")


class BadToken(Exception):
    """The bearer token is missing, malformed, expired or not for us."""


class NoKeys(Exception):
    """No token can be judged, because the issuer's keys could not be read since the process started."""


@dataclass(frozen=True)
class Token:
    """A verified token. `narrow` are the roles its claims allow at most; None where it does not say."""

    issuer: str
    subject: str
    subject_hash: str
    claims: dict[str, Any]
    narrow: frozenset[str] | None


@dataclass(frozen=True)
class Caller:
    """Somebody with a token, as this service knows them in one scope."""

    token: Token
    person: str | None = None
    roles: frozenset[str] = frozenset()

    @property
    def subject(self) -> str:
        return self.token.subject

    @property
    def subject_hash(self) -> str:
        return self.token.subject_hash

    @property
    def issuer(self) -> str:
        return self.token.issuer


class Keys:
    """The issuer's public keys, from a file or a URL; read again when a token names a key we do not have.

    Keys that we have stay good while the issuer does not answer.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at = self._tried_at = -math.inf
        self._lock = asyncio.Lock()

    async def get(self, kid: str) -> jwt.PyJWK:
        """The key with that id. Raises `BadToken` where the issuer has none, `NoKeys` where none could be read yet."""
        if self._due(kid) and not (kid in self._keys and self._lock.locked()):
            async with self._lock:
                if self._due(kid):
                    await self._try()
        if not self._keys:
            raise NoKeys("the issuer's keys cannot be read at the moment")
        if kid not in self._keys:
            raise BadToken("the token is signed with a key that the issuer does not publish")
        return self._keys[kid]

    def _due(self, kid: str) -> bool:
        now = time.monotonic()
        return (kid not in self._keys or now - self._read_at > _REFRESH) and now - self._tried_at > _RETRY

    async def _try(self) -> None:
        try:
            await self._read()
        except (httpx.HTTPError, OSError, ValueError, jwt.PyJWTError) as error:
            _log.warning("the issuer's keys cannot be read", extra=about(error))
        else:
            self._read_at = time.monotonic()
        self._tried_at = time.monotonic()

    async def _read(self) -> None:
        if self._source.startswith(("http://", "https://")):
            url = httpx.URL(self._source)
            async with httpx.AsyncClient(timeout=5) as client:
                with spans.calling("GET", url.scheme, url.host, url.port) as answered:
                    answer = await client.get(url)
                    answered(answer.status_code)
                answer.raise_for_status()
                found = answer.json()
        else:
            found = json.loads(await asyncio.to_thread(Path(self._source).read_text))
        self._keys = {k.key_id: k for k in jwt.PyJWKSet.from_dict(found).keys if k.key_id}


class Tokens:
    """Verifies bearer tokens of the configured issuer. Lifetimes are judged by real time, never a travelled clock."""

    def __init__(self, settings: Process) -> None:
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._key = settings.subject_key
        self._keys = Keys(settings.jwks)

    def subject_hash(self, subject: str) -> str:
        """The keyed hash by which a subject of our issuer is known to all services."""
        return hmac.new(self._key, f"{self._issuer}\0{subject}".encode(), hashlib.sha256).hexdigest()

    async def verify(self, authorization: str | None) -> Token:
        """The token of an `Authorization` header. Raises `BadToken`, saying what is wrong with it."""
        scheme, _, raw = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not raw:
            raise BadToken("send 'Authorization: Bearer <token>'")
        try:
            header = jwt.get_unverified_header(raw)
            key = await self._keys.get(str(header.get("kid")))
            if header.get("alg") not in ALGORITHMS:
                raise BadToken(f"algorithm {header.get('alg')!r} is not accepted")
            claims = jwt.decode(
                raw,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "iss", "aud", "sub"]},
                leeway=10,
            )
        except jwt.PyJWTError as wrong:
            raise BadToken(str(wrong)) from None
        roles = claims.get("roles")
        return Token(
            issuer=self._issuer,
            subject=claims["sub"],
            subject_hash=self.subject_hash(claims["sub"]),
            claims=claims,
            narrow=frozenset(map(str, roles)) if isinstance(roles, list) else None,
        )


@dataclass(frozen=True)
class Directory:
    """Where this service finds people: a state view with `person`, `subject` and `sides`, and a view of their roles.

    What a token claims can only take roles away, never give one.
    """

    profiles: StateView[Any]
    roles: View[Any]

    async def find(self, token: Token, scope: str, views: Views) -> Caller:
        """The caller as known in `scope`; without a person where nobody there has this subject."""
        found = await views.find_latest(self.profiles, scope, {"subject": token.subject_hash}, limit=1)
        if not found:
            return Caller(token)
        profile = found[0]
        granted = await views.get(self.roles, self.roles.category.stream(scope, profile.person))
        roles = {str(s) for s in profile.sides} | ({str(r) for r in granted.roles} if granted else set())
        if token.narrow is not None:
            roles &= token.narrow
        return Caller(token, profile.person, frozenset(roles))
