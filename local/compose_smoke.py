"""Builds the images, brings docker-compose.yml up, runs the whole story on it, and takes everything down again."""

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from local import story
from local.files import CHECKOUT
from local.processes import free_ports
from local.tokens import mint
from local.topics import SERVICES

SKIPPED = 3
"""Exit code where no Docker engine answers."""
SECONDS_UP = 240
OTHERS = ("outlet", "kafka", "jaeger", "collector", "metrics")
ISSUER_KEY = "keys/issuer.pem"

# What a service finds out about the container it is in; run by its own Python.
_PROBE = """
import json, os, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def refuses(path):
    try:
        open(path, "w").close()
    except OSError:
        return True
    return False
print(json.dumps({
    "user": os.getuid(),
    "rights": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"].strip() == "1",
    "read_only_root": all(refuses(p) for p in ("/app/x", "/venv/x", "/x", "/run/counterpoint/x", "/run/clock/x")),
    "holds": sorted(os.listdir("/app")) + sorted(os.listdir("/app/services")),
}))
"""


class SmokeFailed(Exception):
    """Something is not as it must be; the message says what."""


class Compose:
    """One project of docker-compose.yml with a name and ports of its own: another one on this engine is not touched."""

    def __init__(self) -> None:
        self.project = f"counterpoint-smoke-{secrets.token_hex(3)}"
        names = (*SERVICES, *OTHERS)
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        ports = {f"COUNTERPOINT_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self._env = {**os.environ, **ports}

    def __call__(self, *arguments: str) -> str:
        """Run a compose command and answer what it printed; SmokeFailed with the end of it where it fails."""
        command = ["docker", "compose", "-p", self.project, "--progress", "quiet", *arguments]
        done = subprocess.run(command, cwd=CHECKOUT, env=self._env, text=True, check=False, capture_output=True)
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
            raise SmokeFailed(f"docker compose {' '.join(arguments)} ended with {done.returncode}:\n{end}")
        return done.stdout

    def url(self, name: str) -> str:
        """Where something that the project publishes is reached."""
        return f"http://127.0.0.1:{self.ports[name]}"


class Clock:
    """The project's travelling clock, moved the way a person does it: by its `keys` container."""

    def __init__(self, compose: Compose) -> None:
        self._compose = compose
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The project's time."""
        return datetime.now(UTC) + self._ahead

    def forward(self, by: timedelta) -> None:
        """Let time pass for every service."""
        said = self._compose("run", "--rm", "-T", "keys", "forward", str(by / timedelta(days=1)))
        self._ahead = datetime.fromisoformat(said.strip()) - datetime.now(UTC)


class Teller:
    """Shows the story as plain lines."""

    def chapter(self, title: str) -> None:
        """A new part begins."""
        _say(f"\n{title}")

    def line(self, text: str) -> None:
        """Something happened."""
        _say(f"   {text}")


def main() -> int:
    """Run the smoke test; 0 when all went well, 1 when not, 3 where no engine answers."""
    if trouble := _no_engine():
        _say(f"SKIPPED: {trouble} Nothing was built, nothing was tried.")
        return SKIPPED
    compose = Compose()
    began = time.monotonic()
    try:
        with _up(compose), tempfile.TemporaryDirectory(prefix="counterpoint-") as data:
            inspect(compose)
            ended = asyncio.run(story.run(_installation(compose, Path(data)), Teller(), patience=60))
            show(ended)
            check_telemetry(compose)
    except (SmokeFailed, story.StoryFailed) as failed:
        _say(f"\nFAILED: {failed}")
        return 1
    _say(f"\nThe story ran on docker compose, and everything is taken down again. {time.monotonic() - began:.0f} s")
    return 0


def _no_engine() -> str | None:
    if shutil.which("docker") is None:
        return "there is no docker on the PATH."
    for command, what in ((["version"], "no Docker engine answers."), (["compose", "version"], "no compose plugin.")):
        if subprocess.run(["docker", *command], capture_output=True, timeout=60, check=False).returncode:
            return what
    return None


@contextmanager
def _up(compose: Compose) -> Iterator[None]:
    try:
        _say("Building the images")
        compose("build")
        _say("Starting everything, and waiting until it is healthy")
        compose("up", "-d", "--wait", "--wait-timeout", str(SECONDS_UP))
        yield
    except BaseException:
        with suppress(SmokeFailed):
            for service in SERVICES:
                sys.stderr.write(compose("logs", "--no-color", "--tail", "15", service))
        raise
    finally:
        compose("down", "-v", "--rmi", "local", "--timeout", "10")


def _installation(compose: Compose, data: Path) -> story.Installation:
    """The running project for the story: tokens are signed with a copy of its issuer's key, gone when all is over."""
    (data / ISSUER_KEY).parent.mkdir()
    compose("cp", f"keys:/keys/all/{ISSUER_KEY}", str(data / ISSUER_KEY))
    clock = Clock(compose)
    return story.Installation(
        services={service: compose.url(service) for service in SERVICES},
        token=lambda subject: mint(data, subject),
        now=clock.now,
        forward=clock.forward,
    )


def inspect(compose: Compose) -> None:
    """Ask every service's container from inside what it is, may do and holds, and the engine what it publishes."""
    for service in SERVICES:
        found = json.loads(compose("exec", "-T", service, "python", "-c", _PROBE))
        wanted = {
            "user": 65534,
            "rights": 0,
            "no_new_privileges": True,
            "read_only_root": True,
            "holds": ["chassis", "contracts", "services", service],
        }
        if found != wanted:
            raise SmokeFailed(f"{service}'s container is {found}; it should be {wanted}")
    for line in compose("ps", "--format", "json").splitlines():
        container = json.loads(line)
        for published in container["Publishers"]:
            if published["PublishedPort"] and published["URL"] != "127.0.0.1":
                raise SmokeFailed(f"{container['Service']} is reachable from outside: {published}")
    _say("   Each service: nobody (65534), no rights, root read-only, holds itself only. Ports: on loopback only.")


def show(ended: story.Ending) -> None:
    """Print the published figures, the pairs with their next step and the lag of every inbox."""
    _say("\nThe published figures")
    for table in ended.report["tables"]:
        _say(f"   {table['title']}")
        for row in table["rows"]:
            shown = ", ".join(f"{cell['column']}: {cell['shown']}" for cell in row["cells"])
            _say(f"      {row['label']}: {shown}")
    _say("\nThe pairs and their next step")
    for pair in ended.journeys:
        step = pair["next"]
        told = f"{step['who']}: {step['what']}" if step else "–"
        names = f"{pair['names']['mentor']} – {pair['names']['executive']}"
        _say(f"   {names:<45} {pair['state']:<10} {pair['held']} of {pair['planned']}  {told}")
    _say("\nLag and telemetry")
    for service, items in ended.lag.items():
        _say(f"   {service}: {len(items)} partitions, {sum(item['behind'] for item in items)} records behind")


def check_telemetry(compose: Compose, seconds: float = 15) -> None:
    """The collector passed spans on to Jaeger, lost none, and offers metrics of all four services."""
    deadline = time.monotonic() + seconds
    while True:
        lines = httpx.get(f"{compose.url('collector')}/metrics", trust_env=False).text.splitlines()
        offered = httpx.get(f"{compose.url('metrics')}/metrics", trust_env=False).text
        silent = [service for service in SERVICES if f'service_name="counterpoint-{service}"' not in offered]
        sent, lost = _sum(lines, "otelcol_exporter_sent_spans"), _sum(lines, "otelcol_exporter_send_failed_spans")
        if sent and not lost and not silent:
            return _say(f"   {sent:.0f} spans went on to Jaeger, none was lost; metrics of all four services are there")
        if time.monotonic() > deadline:
            raise SmokeFailed(f"telemetry: {sent:.0f} spans sent, {lost:.0f} lost, no metrics of {silent}")
        time.sleep(0.5)


def _sum(lines: list[str], name: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
