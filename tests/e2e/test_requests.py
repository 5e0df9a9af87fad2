"""Bad requests on the running services: each gets a problem that names the field and the way out."""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import story, tokens
from local.stackfile import StackFile
from local.story.cast import FOUNDER, SPONSOR

pytestmark = pytest.mark.e2e
SERVICES = ("enrollment", "matching", "scheduling", "insights")
Operation = tuple[str, str, str, dict[str, Any]]


class Api:
    """The four services as a stranger with curl sees them."""

    def __init__(self, told: StackFile, program: str) -> None:
        self.told = told
        self.program = program
        self.http = httpx.Client(timeout=15, trust_env=False)

    def token(self, subject: str, **claims: Any) -> str:
        return tokens.mint(Path(self.told["data"]), subject, claims or None)

    def ask(self, method: str, service: str, path: str, who: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(who)}"} if who else {}
        headers |= more.pop("headers", {})
        url = f"{self.told['services'][service]}/{service}/v1{path}"
        return self.http.request(method, url, headers=headers, **more)

    def operations(self) -> list[Operation]:
        """Every operation of every service: service, method, path with ids filled in, its OpenAPI description."""
        found = []
        for service in SERVICES:
            spec = self.ask("GET", service, "/openapi.json").json()
            for path, methods in spec["paths"].items():
                filled = path.removeprefix(f"/{service}/v1").replace("{program}", self.program)
                filled = re.sub(r"\{(\w+)\}", lambda m: _id(m[1]), filled)
                found += [(service, method.upper(), filled, what) for method, what in methods.items()]
        return found


def _id(kind: str) -> str:
    prefix = {"invitation": "iv", "round": "ro", "proposal": "pp", "pair": "pa", "session": "se", "idea": "id"}
    prefix |= {"action": "ac", "report": "re", "person": "pe", "pause": "pz"}
    return f"{prefix[kind]}_{'a' * 26}"


@pytest.fixture(scope="module")
def api(told: StackFile, ending: story.Ending) -> Api:
    return Api(told, ending.program)


def problem(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer as problem details, with everything such an answer must have."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status and body["title"] and body["detail"]
    assert body["type"].startswith("urn:counterpoint:problem:")
    if code:
        assert body["type"].endswith(f":{code}")
    return body


@pytest.mark.guarantee("people")
def test_every_operation_refuses_who_has_no_token_or_a_broken_one(api: Api) -> None:
    operations = api.operations()
    assert len(operations) > 40
    for service, method, path, _ in operations:
        problem(api.ask(method, service, path, json={}), 401, "unauthenticated")
        broken = {"Authorization": "Bearer not.a.token"}
        problem(api.ask(method, service, path, json={}, headers=broken), 401, "unauthenticated")


def test_a_token_of_somebody_else_or_for_something_else_is_refused(api: Api) -> None:
    for claims in ({"iss": "urn:elsewhere"}, {"aud": "something-else"}, {"exp": 1_000_000_000}):
        headers = {"Authorization": f"Bearer {api.token(FOUNDER, **claims)}"}
        problem(api.ask("GET", "enrollment", "/programs", headers=headers), 401, "unauthenticated")


def test_every_operation_of_a_program_refuses_a_stranger(api: Api) -> None:
    for service, method, path, _ in api.operations():
        if api.program in path:
            problem(api.ask(method, service, path, "a stranger", json={}), 403, "forbidden")


@pytest.mark.guarantee("people")
def test_a_claim_can_take_a_role_away_and_never_give_one(api: Api) -> None:
    path = f"/programs/{api.program}/invitations"
    assert api.ask("GET", "enrollment", path, FOUNDER).status_code == 200
    narrowed = {"Authorization": f"Bearer {api.token(FOUNDER, roles=['sponsor'])}"}
    problem(api.ask("GET", "enrollment", path, headers=narrowed), 403, "forbidden")
    widened = {"Authorization": f"Bearer {api.token(SPONSOR, roles=['coordinator', 'sponsor'])}"}
    problem(api.ask("GET", "enrollment", path, headers=widened), 403, "forbidden")


@pytest.mark.guarantee("running")
def test_an_unknown_field_is_refused_and_named(api: Api) -> None:
    asked = 0
    for service, method, path, what in api.operations():
        body = what.get("requestBody", {}).get("content", {}).get("application/json")
        if not body:
            continue
        answers = [api.ask(method, service, path, who, json={"surprise": 1}) for who in (FOUNDER, *_pair(api))]
        refused = [problem(a, 422, "invalid-request") for a in answers if a.status_code == 422]
        assert refused, f"{method} {path}: {[a.status_code for a in answers]}"
        assert {"pointer": "/surprise", "detail": "is not a known field"} in refused[0]["errors"]
        asked += 1
    assert asked > 20


@pytest.mark.guarantee("running")
def test_a_wrong_value_is_named_by_its_pointer(api: Api) -> None:
    body = {"kind": "optimistic", "value": 9}
    mentor = _pair(api)[0]
    errors = problem(api.ask("POST", "insights", f"/programs/{api.program}/pulses", mentor, json=body), 422)["errors"]
    assert [e["pointer"] for e in errors] == ["/value"]


@pytest.mark.guarantee("G1")
def test_the_same_key_is_answered_as_the_first_time_and_refused_with_another_body(api: Api) -> None:
    path, key = f"/programs/{api.program}/roles", {"Idempotency-Key": secrets.token_hex(8)}
    body = {"login": "late@example.org", "name": "Late Sponsor", "mail": "late@example.org", "role": "sponsor"}
    first = api.ask("POST", "enrollment", path, FOUNDER, json=body, headers=key)
    assert first.status_code == 201, first.text
    again = api.ask("POST", "enrollment", path, FOUNDER, json=body, headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    other = api.ask("POST", "enrollment", path, FOUNDER, json=body | {"role": "trusted"}, headers=key)
    problem(other, 422, "idempotency-key-reused")


@pytest.mark.guarantee("running")
def test_a_missing_precondition_and_a_stale_version_are_refused(api: Api, ending: story.Ending) -> None:
    pair = ending.journeys[0]["pair"]
    path = f"/programs/{api.program}/pairs/{pair}"
    read = api.ask("GET", "matching", path, FOUNDER)
    assert re.fullmatch(r'"\d+"', read.headers["ETag"])
    problem(api.ask("POST", "matching", f"{path}/end", FOUNDER, json={}), 428, "precondition-required")
    stale = {"If-Match": '"99"'}
    problem(api.ask("POST", "matching", f"{path}/end", FOUNDER, json={}, headers=stale), 412, "stale")
    assert api.ask("GET", "matching", path, FOUNDER).headers["ETag"] == read.headers["ETag"]


@pytest.mark.guarantee("G11")
def test_a_caller_sees_its_own_write_and_a_stream_never_heard_is_refused(api: Api) -> None:
    body = {"login": f"{secrets.token_hex(4)}@x.org", "name": "New Sponsor", "mail": "n@x.org", "role": "sponsor"}
    made = api.ask("POST", "enrollment", f"/programs/{api.program}/roles", FOUNDER, json=body)
    after = {"Counterpoint-After": made.headers["Counterpoint-After"]}
    token = {"Authorization": f"Bearer {api.token(body['login'])}"}

    async def until_known() -> int:
        for _ in range(50):
            answer = api.ask("GET", "insights", f"/programs/{api.program}/reports", headers=token | after)
            if answer.status_code != 503:
                return answer.status_code
            assert answer.headers["Retry-After"]
            await asyncio.sleep(0.1)
        return 503

    assert asyncio.run(until_known()) == 200
    path = f"/programs/{api.program}/reports"
    never = {"Counterpoint-After": f"{api.program}/seat/nobody@1"}
    problem(api.ask("GET", "insights", path, FOUNDER, headers=never), 400, "after")
    future = {"Counterpoint-After": f"{api.program}/program/{api.program}@99"}
    late = api.ask("GET", "insights", path, FOUNDER, headers=future)
    problem(late, 503, "not-seen-yet")
    assert late.headers["Retry-After"]


def test_what_does_not_exist_is_not_found(api: Api) -> None:
    problem(api.ask("GET", "matching", f"/programs/{api.program}/pairs/{_id('pair')}", FOUNDER), 404, "not-found")
    problem(api.ask("GET", "matching", "/no/such/route", FOUNDER), 404, "not-found")
    problem(api.ask("DELETE", "enrollment", "/programs", FOUNDER), 405, "method-not-allowed")
    problem(api.ask("GET", "matching", f"/programs/{api.program}/pairs/pa_wrong", FOUNDER), 422, "invalid-request")


def _pair(api: Api) -> tuple[str, str]:
    """The logins of a mentor and an executive who take part."""
    found = api.ask("GET", "enrollment", f"/programs/{api.program}/participations?limit=200", FOUNDER).json()["items"]
    people = {p["person"]: p for p in found}
    journeys = api.ask("GET", "scheduling", f"/programs/{api.program}/journeys", FOUNDER).json()["items"]
    living = next(j for j in journeys if j["state"] == "open")
    cast = {m.name: m.login for m in story.cast.Cast.read().members}
    return cast[people[living["mentor"]]["name"]], cast[people[living["executive"]]["name"]]
