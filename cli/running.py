"""The stack that runs: found through its stack.json, spoken to over HTTP as one of its people."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from cli.failure import FAILED, NOT_ALLOWED, NOT_RUNNING, Failure
from local import stackfile, tokens
from local.environment import OPERATOR, SUBSCRIBER
from local.files import write_private
from local.stackfile import DATA, StackFile
from local.story.cast import FOUNDER

STACK_VARIABLE = "COUNTERPOINT_STACK"
TOKEN_VARIABLE = "COUNTERPOINT_TOKEN"  # noqa: S105 - the name of a variable
TIMEOUT = 30.0


COMPUTING_SECONDS = 120.0


class Later(Failure):
    """A service cannot answer now, and could in a moment."""


@dataclass
class Chosen:
    """Which stack the command line means: the path of its stack.json."""

    file: Path = DATA / "stack.json"


CHOSEN = Chosen()


def stack() -> StackFile:
    """What the running stack says of itself. Failure where there is none."""
    try:
        told = cast(StackFile, json.loads(CHOSEN.file.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        told = None
    except ValueError as wrong:
        raise Failure(f"{CHOSEN.file} is no stack.json: {wrong}") from None
    # A stack of containers records no process of this machine.
    if told is None or (told["pids"] and not stackfile.alive(told)):
        raise Failure(f"No stack is running ({CHOSEN.file}). Start one: counterpoint up", NOT_RUNNING)
    return told


def remember(told: StackFile, ending: Mapping[str, Any]) -> None:
    """Keep what the last demo left behind: its program, its personas, and the login of each person."""
    write_private(_story(told), json.dumps(ending))


def remembered(told: StackFile) -> dict[str, Any]:
    """What the last demo left behind; nothing where there was none."""
    try:
        return cast(dict[str, Any], json.loads(_story(told).read_text()))
    except FileNotFoundError:
        return {}


def _story(told: StackFile) -> Path:
    return Path(told["data"]) / "keys" / "story.json"


def subject(told: StackFile, role: str, person: str | None = None) -> str:
    """The token subject that plays a role: a login or a person id where one is given, else the demo's persona."""
    if role in (OPERATOR, SUBSCRIBER) and person is None:
        return role
    memory = remembered(told)
    if person is not None:
        return str(memory.get("logins", {}).get(person, person))
    personas = memory.get("personas", {"coordinator": FOUNDER})
    if role not in personas:
        known = ", ".join(personas)
        raise Failure(
            f"Nobody is known as {role!r} here (known: {known}). Name one with --person LOGIN, or run the demo."
        )
    return str(personas[role])


def token(told: StackFile, role: str, person: str | None = None) -> str:
    """A bearer token of the local issuer, good for this role only."""
    return tokens.mint(Path(told["data"]), subject(told, role, person), {"roles": [role]})


def program(told: StackFile, given: str | None) -> str:
    """The program a command is about: the one given, the demo's, or the only one there is."""
    if given:
        return given
    memory = remembered(told)
    if "program" in memory:
        return str(memory["program"])
    items = request(told, "GET", "enrollment", "/programs")["items"]
    if len(items) != 1:
        raise Failure(f"There are {len(items)} programs: name one with --program")
    return str(items[0]["program"])


def request(
    told: StackFile, method: str, service: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
) -> dict[str, Any]:
    """One request as the coordinator (or with the token in COUNTERPOINT_TOKEN). Failure says what the service said."""
    bearer = os.environ.get(TOKEN_VARIABLE) or token(told, "coordinator")
    url = f"{told['services'][service]}/{service}/v1{path}"
    return answer(method, url, {"Authorization": f"Bearer {bearer}", **(headers or {})}, **content)


def read(told: StackFile, service: str, path: str, **content: Any) -> dict[str, Any]:
    """Ask for something as the coordinator, again and again while it is being computed."""
    deadline = time.monotonic() + COMPUTING_SECONDS
    while True:
        try:
            return request(told, "GET", service, path, **content)
        except Later:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def operate(told: StackFile, method: str, service: str, path: str, **content: Any) -> dict[str, Any]:
    """One request as an operator (or with the token in COUNTERPOINT_TOKEN) to a route outside of the interface."""
    bearer = os.environ.get(TOKEN_VARIABLE) or token(told, OPERATOR)
    return answer(method, told["services"][service] + path, {"Authorization": f"Bearer {bearer}"}, **content)


def answer(method: str, url: str, headers: Mapping[str, str] | None = None, **content: Any) -> dict[str, Any]:
    """The JSON that a URL answers; Failure with the code that fits otherwise."""
    try:
        response = httpx.request(method, url, headers=headers, timeout=TIMEOUT, trust_env=False, **content)
    except httpx.TransportError as error:
        raise Failure(f"{url} does not answer ({type(error).__name__})", NOT_RUNNING) from None
    if response.is_success:
        return dict(response.json())
    if response.status_code == 503:
        raise Later(_problem(response), NOT_RUNNING)
    code = {401: NOT_ALLOWED, 403: NOT_ALLOWED}.get(response.status_code, FAILED)
    raise Failure(_problem(response), code)


def _problem(response: httpx.Response) -> str:
    try:
        problem = response.json()
        lines = [f"{response.status_code} {problem['title']}: {problem['detail']}"]
        lines += [f"  {e.get('pointer') or e.get('parameter')}: {e['detail']}" for e in problem.get("errors", ())]
        return "\n".join(lines)
    except (ValueError, KeyError):
        return f"{response.status_code}: {response.text[:300]}"
