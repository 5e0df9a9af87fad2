"""A request's span says which route was asked and how that went, and nothing that a caller wrote; some have none."""

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from chassis.running import spans
from chassis.running.auth import Keys, NoKeys
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


def spans_of(found: Spans) -> list[tuple[str, str, dict[str, object]]]:
    return [(line["name"], line["status"], line["attributes"]) for line in found.all]


async def test_a_request_is_named_by_its_route(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as found:
        answer = await ask("GET", f"/programs/{PROGRAM}/things/{NAME}?who={NAME}")
        await ask("GET", f"/programs/{NAME}/things/x")
    assert answer.headers["trace-id"] == TRACE
    said = {"http.request.method": "GET", "url.scheme": "http", "http.response.status_code": 200}
    said["http.route"] = "/programs/{program}/things/{thing}"
    name = "GET /programs/{program}/things/{thing}"
    assert spans_of(found) == [(name, "unset", said | {"counterpoint.program": PROGRAM}), (name, "unset", said)]
    assert {line["parent"] for line in found.all} == {ABOVE}


@pytest.mark.parametrize(("method", "path"), [("GET", f"/{NAME}"), (NAME.upper(), "/programs/x/things/y")])
async def test_what_nobody_knows_is_not_repeated(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    with recorded(monkeypatch) as found:
        await ask(method, path)
    assert NAME.lower() not in str(found.all).lower()
    assert found.all[0]["name"] == ("GET" if method == "GET" else "HTTP /programs/{program}/things/{thing}")


async def test_an_error_is_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as found:
        await ask("GET", "/programs/x/things/broken")
    ((_, status, said),) = spans_of(found)
    assert (status, said["error.type"]) == ("error", "500") and NAME not in str(
        found.exporter.get_finished_spans()[0].to_json()
    )


@pytest.mark.guarantee("people")
async def test_what_is_answered_in_confidence_is_in_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as found:
        answer = await ask("POST", f"/programs/{PROGRAM}/pulses")
    assert found.all == [] and answer.status_code == 200 and "trace-id" not in answer.headers


@pytest.mark.guarantee("people")
def test_pulses_and_insights_are_answered_in_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        environment="local", kafka_bootstrap="k", mongo_uri="mongodb://m", issuer="i", jwks="j", subject_key_file="/k"
    )
    (told,) = [m.kwargs["in_confidence"] for m in build(SERVICE, settings).user_middleware if m.cls is Tracing]
    prefix = "POST /insights/v1/programs/{program}"
    assert sorted(told) == [f"{prefix}/insights", f"{prefix}/pulses"]


async def test_a_call_to_the_issuer_is_below_the_request_that_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Issuer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == f"/keys?{NAME}" else 404)
            self.end_headers()
            self.wfile.write(b'{"keys": []}')

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with recorded(monkeypatch) as found:
            for path in (f"keys?{NAME}", f"{NAME}/nothing"):
                with suppress(NoKeys), spans.inside(spans.begin("GET", spans.SpanKind.SERVER, {}, below=SAMPLED)):
                    await Keys(f"http://127.0.0.1:{server.server_port}/{path}").get("one")
            with suppress(NoKeys):
                await Keys(f"http://127.0.0.1:{server.server_port}/keys").get("one")
    finally:
        server.shutdown()
    told = {"http.request.method": "GET", "url.scheme": "http", "server.address": "127.0.0.1"}
    told |= {"server.port": server.server_port}
    assert [line["attributes"] for line in found.of("client")] == [
        told | {"http.response.status_code": 200},
        told | {"http.response.status_code": 404, "error.type": "404"},
    ]
    assert {line["trace"] for line in found.of("client")} == {TRACE}
