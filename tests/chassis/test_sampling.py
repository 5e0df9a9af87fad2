"""Which traces are kept: a share of all, what a sampled caller asks for, and every one of some programs."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from chassis.deciding.commands import random_id
from chassis.running import spans
from chassis.running.sampling import Programs, place, told
from tests.integration.spans import SAMPLED, recorded

ROOT = Path(__file__).parents[2]
PROGRAM = "pr_" + "a" * 26
NOT_SAMPLED = SAMPLED[:-1] + "0"


@pytest.mark.parametrize(
    ("name", "share", "description"),
    [
        (None, None, "root:TraceIdRatioBased{0.05}"),
        (None, "0.5", "root:TraceIdRatioBased{0.5}"),
        ("parentbased_always_on", None, "root:AlwaysOnSampler"),
        ("parentbased_always_off", None, "root:AlwaysOffSampler"),
        ("traceidratio", "0.25", "TraceIdRatioBased{0.25}"),
        ("always_on", None, "AlwaysOnSampler"),
        ("always_off", None, "AlwaysOffSampler"),
    ],
)
def test_the_environment_says_which_share(
    monkeypatch: pytest.MonkeyPatch, name: str | None, share: str | None, description: str
) -> None:
    for variable, value in (("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", share)):
        monkeypatch.delenv(variable, raising=False)
        if value:
            monkeypatch.setenv(variable, value)
    assert description in told().get_description()


@pytest.mark.parametrize(("variable", "value"), [("OTEL_TRACES_SAMPLER", "half"), ("OTEL_TRACES_SAMPLER_ARG", "2")])
def test_a_wrong_sampler_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=variable):
        told()


def test_a_wrong_sampler_ends_the_process_and_is_named(tmp_path: Path) -> None:
    environment = {
        "OTEL_TRACES_SAMPLER": "half", "COUNTERPOINT_ENVIRONMENT": "local", "COUNTERPOINT_KAFKA_BOOTSTRAP": "k",
        "COUNTERPOINT_MONGO_URI": "mongodb://m", "COUNTERPOINT_ISSUER": "i", "COUNTERPOINT_JWKS": "j",
        "COUNTERPOINT_SUBJECT_KEY_FILE": "k", "PATH": os.environ["PATH"],
    }  # fmt: skip
    command = [sys.executable, "-m", "services.insights"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "OTEL_TRACES_SAMPLER must be one of" in done.stderr


def kept(sampler: Programs, program: str | None, above: str | None, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a request about a program is kept, and what follows from it in another process."""
    with recorded(monkeypatch, sampler) as found:
        span = spans.begin("GET", spans.SpanKind.SERVER, {"counterpoint.program": program}, below=above)
        below = spans.begin("commit", spans.SpanKind.INTERNAL, {}, below=spans.traceparent_of(span))
        below.end()
        span.end()
    assert len(found.all) in (0, 2), "a trace is kept whole or not at all"
    return bool(found.all)


def test_every_trace_of_a_listed_program_is_kept_and_others_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    sampler = Programs(told(), frozenset({PROGRAM}))
    for above in (None, NOT_SAMPLED, SAMPLED):
        assert kept(sampler, PROGRAM, above, monkeypatch)
    other = random_id("pr")
    assert [kept(sampler, other, above, monkeypatch) for above in (None, NOT_SAMPLED, SAMPLED)] == [False, False, True]
    assert not kept(sampler, None, None, monkeypatch)


def test_a_share_of_programs_is_kept_always_the_same_ones() -> None:
    programs = [random_id("pr") for _ in range(4000)]
    share = {p for p in programs if Programs(told(), share=0.125).keeps(p)}
    assert 0.09 < len(share) / len(programs) < 0.16
    assert share == {p for p in programs if place(p) < 0.125}
    assert {p for p in programs if Programs(told(), share=0.0625).keeps(p)} <= share
    assert not any(Programs(told()).keeps(p) for p in programs)


def test_collectors_choose_the_same_programs() -> None:
    """The default of `deploy/otel/sampler.yaml`, digests that begin with 0, are the programs below a sixteenth."""
    for program in (random_id("pr") for _ in range(500)):
        assert (place(program) < 1 / 16) == hashlib.sha256(program.encode()).hexdigest().startswith("0")


def test_what_is_linked_to_a_kept_trace_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as found:
        spans.begin("send t", spans.SpanKind.CLIENT, {}, links=[spans.link(SAMPLED)]).end()
        spans.begin("send t", spans.SpanKind.CLIENT, {}).end()
    assert len(found.all) == 1


def test_a_caller_can_ask_for_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_TRACES_SAMPLER", raising=False)
    assert kept(Programs(told()), None, SAMPLED, monkeypatch)
    assert kept(Programs(ALWAYS_ON), None, None, monkeypatch)
