"""A request's span says which route was asked and how that went, and nothing that a caller wrote; some have none."""

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from chassis.running.program import build
from chassis.running.settings import Settings
from chassis.running.tracing import Tracing
from services.insights.service import SERVICE
from tests.integration.spans import ABOVE, SAMPLED, TRACE, Spans, recorded

NAME = "Wilhelmina"
PROGRAM = "pr_" + "a" * 26


async def ask(method: str, path: str, traceparent: str = SAMPLED) -> Response:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    app.add_middleware(Tracing, in_confidence=["POST /programs/{program}/pulses"])

    @app.get("/programs/{program}/things/{thing}")
    async def get(program: str, thing: str) -> str:
        if thing == "broken":
            raise RuntimeError(NAME)
        return thing

    @app.post("/programs/{program}/pulses")
    async def pulse(program: str) -> None: ...

    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, headers={"traceparent": traceparent, "x-name": NAME})


def spans_of(spans: Spans) -> list[tuple[str, str, dict[str, object]]]:
    return [(line["name"], line["status"], line["attributes"]) for line in spans.all]


async def test_a_request_is_named_by_its_route(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as spans:
        answer = await ask("GET", f"/programs/{PROGRAM}/things/{NAME}?who={NAME}")
        await ask("GET", f"/programs/{NAME}/things/x")
    assert answer.headers["trace-id"] == TRACE
    said = {"http.request.method": "GET", "url.scheme": "http", "http.response.status_code": 200}
    said["http.route"] = "/programs/{program}/things/{thing}"
    name = "GET /programs/{program}/things/{thing}"
    assert spans_of(spans) == [(name, "unset", said | {"counterpoint.program": PROGRAM}), (name, "unset", said)]
    assert {line["parent"] for line in spans.all} == {ABOVE}


@pytest.mark.parametrize(("method", "path"), [("GET", f"/{NAME}"), (NAME.upper(), "/programs/x/things/y")])
async def test_what_nobody_knows_is_not_repeated(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    with recorded(monkeypatch) as spans:
        await ask(method, path)
    assert NAME.lower() not in str(spans.all).lower()
    assert spans.all[0]["name"] == ("GET" if method == "GET" else "HTTP /programs/{program}/things/{thing}")


async def test_an_error_is_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as spans:
        await ask("GET", "/programs/x/things/broken")
    ((_, status, said),) = spans_of(spans)
    assert (status, said["error.type"]) == ("error", "500") and NAME not in str(
        spans.exporter.get_finished_spans()[0].to_json()
    )


@pytest.mark.guarantee("people")
async def test_what_is_answered_in_confidence_is_in_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as spans:
        answer = await ask("POST", f"/programs/{PROGRAM}/pulses")
    assert spans.all == [] and answer.status_code == 200 and "trace-id" not in answer.headers


@pytest.mark.guarantee("people")
def test_pulses_and_insights_are_answered_in_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        environment="local", kafka_bootstrap="k", mongo_uri="mongodb://m", issuer="i", jwks="j", subject_key_file="/k"
    )
    (told,) = [m.kwargs["in_confidence"] for m in build(SERVICE, settings).user_middleware if m.cls is Tracing]
    prefix = "POST /insights/v1/programs/{program}"
    assert sorted(told) == [f"{prefix}/insights", f"{prefix}/pulses"]
