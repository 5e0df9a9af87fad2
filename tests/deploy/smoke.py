"""`make k8s-smoke`: the real images, and the rendered pods of a service, run by the container engine of this machine.

Enrollment's pods of the overlay `dev` and the solver, as the manifests confine them: as nobody, on a root that nobody
can write to, without rights, with the memory they get. They meet a Kafka that asks who comes, over TLS, and a MongoDB
with the three users. Each must become ready, serve, be what it should be from inside, and stop in time.
"""

from __future__ import annotations

import base64
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from confluent_kafka import Consumer

from local.files import CHECKOUT
from local.mongod import PARTS, Mongod, put_users, uri
from local.processes import free_ports, stop
from local.story.cast import FOUNDER
from local.story.program import PROGRAM
from local.tokens import jwks_file, mint
from tests.deploy.containers import Engine, Failed, engine
from tests.deploy.guarded import Guarded, guarded
from tests.deploy.manifests import Object, container, environment, named, pod, rendered

SKIPPED = 3
"""Exit code where no engine answers."""
READY_SECONDS = 90
PODS = {
    "enrollment": {
        "enrollment-api": "Deployment",
        "enrollment-relay": "Deployment",
        "enrollment-worker": "StatefulSet",
    },
    "matching": {"matching-solver": "Deployment"},
}
SERVES, SOLVES = "enrollment-api", "matching-solver"
# Solves a round within the container; prints how many files of compiled code there were before and after.
_SOLVE = """
import os, runpy
count = lambda: sum(len(files) for _, _, files in os.walk(os.environ["NUMBA_CACHE_DIR"]))
before = count()
runpy.run_module("services.matching.solver", run_name="__main__")
print(before, count())
"""


def main() -> int:
    """Run it; 0 when all went well, 1 when not, 3 where no engine answers."""
    if (there := engine(f"counterpoint-smoke-{secrets.token_hex(3)}")) is None:
        _say("SKIPPED: neither docker nor podman answers. Nothing was built, nothing was tried.")
        return SKIPPED
    try:
        objects = rendered("dev")
        _build(there, objects)
        with tempfile.TemporaryDirectory(prefix="counterpoint-") as data, _servers(Path(data)) as (kafka, mongod):
            for service in PODS:
                _lives(there, objects, service, kafka, mongod, Path(data))
    except Failed as failed:
        _say(f"FAILED {failed}")
        return 1
    finally:
        there.remove()
    _say("PASSED")
    return 0


def _build(there: Engine, objects: list[Object]) -> None:
    for service in PODS:
        began, image = time.monotonic(), container(named(objects, "Job", f"{service}-prepare"))["image"]
        there(
            "build",
            "-q",
            "-f",
            "deploy/Dockerfile",
            f"--build-arg=SERVICE={service}",
            "-t",
            image,
            str(CHECKOUT),
            seconds=1800,
        )
        size = int(there("image", "inspect", "--format", "{{.Size}}", image)) / 1e6
        _say(f"{image}: {size:.0f} MB, built in {time.monotonic() - began:.0f} s")


@contextmanager
def _servers(data: Path) -> Iterator[tuple[Guarded, Mongod]]:
    """The servers that pods expect to be there, with as many partitions as they are told."""
    told = environment(named(rendered("dev"), "Deployment", SERVES), rendered("dev"))
    mongod = Mongod(data / "mongod", data / "mongod.log", free_ports(1)[0])
    (data / "guarded").mkdir()
    mongod.spawn()
    try:
        with guarded(data / "guarded", int(told["COUNTERPOINT_PARTITIONS"])) as kafka:
            mongod.wait()
            yield kafka, mongod
    finally:
        stop([mongod.child] if mongod.child else [], 15)


def _lives(there: Engine, objects: list[Object], service: str, kafka: Guarded, mongod: Mongod, data: Path) -> None:
    """One service's pods, from the Job that prepares to their end."""
    files = _files(service, kafka, mongod, data)
    more = {"COUNTERPOINT_KAFKA_BOOTSTRAP": f"127.0.0.1:{kafka.port}"}
    job = there.start(named(objects, "Job", f"{service}-prepare"), objects, files, **more)
    if code := there.ends(job, 120):
        raise Failed(f"{job} ended with {code}:\n{there.tail(job)}")
    urls = {}
    for name, kind in PODS[service].items():
        port = free_ports(1)[0]  # they share this machine's addresses
        workload, began = named(objects, kind, name), time.monotonic()
        started = there.start(workload, objects, files, **more, COUNTERPOINT_HTTP_PORT=str(port))
        urls[name] = f"http://127.0.0.1:{port}"
        _until_ready(there, started, urls[name])
        _say(f"{name}: ready after {time.monotonic() - began:.1f} s")
        _confined(there, started, workload)
    if SERVES in urls:
        _serves(urls[SERVES], data, kafka)
    if SOLVES in urls:
        _compiles_nothing(there, f"{there.prefix}-{SOLVES}")
    for name, kind in PODS[service].items():
        _stops(there, f"{there.prefix}-{name}", named(objects, kind, name))


def _files(service: str, kafka: Guarded, mongod: Mongod, data: Path) -> Mapping[str, Mapping[str, str]]:
    """What the secrets and ConfigMaps of docs/operating.md hold, by name."""
    passwords = {part: secrets.token_urlsafe(16) for part in PARTS}
    database = f"counterpoint_{service}"
    with mongod.client() as client:
        put_users(client, database, passwords)
    users = {part: {"mongo-uri": uri(part, passwords[part], mongod.port, database)} for part in PARTS}
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "folder": {"path": str(data)},
        **{f"{service}-{part}": held for part, held in users.items()},
        f"{service}-keys": {"subject": key, "content": key},
        f"{service}-kafka": {"password": f"counterpoint-{service}-secret"},
        "kafka-ca": {"ca.crt": kafka.ca.read_text()},
        "issuer": {"jwks.json": jwks_file(data).read_text()},
    }


def _until_ready(there: Engine, name: str, url: str) -> None:
    _until(lambda: _answer(f"{url}/health/ready"), f"{name} is ready", lambda: there.tail(name))


def _answer(url: str) -> bool:
    try:
        return httpx.get(url, timeout=4, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _until(done: Callable[[], bool], what: str, why: Callable[[], str]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise Failed(f"not in {READY_SECONDS} s: {what}\n{why()}")
        time.sleep(0.1)


def _confined(there: Engine, name: str, workload: Object) -> None:
    """Ask the container from inside whether what the manifest says of it is so."""
    mounts = [m["mountPath"] for m in container(workload)["volumeMounts"] if m.get("readOnly")]
    own = pod(workload)["securityContext"]
    wanted = {
        "user": [own["runAsUser"], own["runAsGroup"]],
        "rights": 0,
        "no new privileges": True,
        "filtered system calls": True,
        "can be written": [],
    }
    if (found := there.probe(name, "", "/app", "/venv", "/etc", "/var/tmp", *mounts)) != wanted:  # noqa: S108
        raise Failed(f"{name} is {found}; it should be {wanted}")
    _say("   nobody, no rights, filtered system calls, nothing but /tmp can be written")


def _compiles_nothing(there: Engine, name: str) -> None:
    """The solver's code was compiled when the image was built, and is found although the root cannot be written to."""
    began = time.monotonic()
    before, after = map(int, there("exec", name, "python", "-c", _SOLVE).split())
    if not before or after != before:
        raise Failed(f"{name} compiles: {before} files of compiled code before a round, {after} after it")
    _say(f"   a round is solved {time.monotonic() - began:.1f} s after the start of a process, and nothing compiled")


def _serves(url: str, data: Path, kafka: Guarded) -> None:
    """A program is opened, refused to somebody else, and the fact of it is on Kafka: relay and API work together."""
    today = datetime.now(UTC).date()
    body = {
        **PROGRAM,
        "opens": today.isoformat(),
        "closes": (today + timedelta(days=270)).isoformat(),
        "coordinator": {"name": "Ines", "mail": "ines@company.example"},
    }
    codes = {}
    for who in ("somebody", FOUNDER):
        told = {"authorization": f"Bearer {mint(data, who)}", "idempotency-key": secrets.token_hex(8)}
        answer = httpx.post(f"{url}/enrollment/v1/programs", json=body, headers=told, timeout=15, trust_env=False)
        codes[who] = answer.status_code
    if codes != {"somebody": 403, FOUNDER: 201}:
        raise Failed(f"opening a program was answered with {codes}")
    settings = kafka.admin | {"group.id": "smoke", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe(["counterpoint.enrollment.events"])
    try:
        _until(lambda: (got := consumer.poll(1)) is not None and not got.error(), "the fact is on Kafka", lambda: "")
    finally:
        consumer.close()
    _say("   a program was opened by a founder and by nobody else, and the fact of it is on Kafka")


def _stops(there: Engine, name: str, workload: Object) -> None:
    grace = pod(workload)["terminationGracePeriodSeconds"]
    before = container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    took, code = there.stop(name, grace - before)
    if code:
        raise Failed(f"{name} ended with {code} after {took:.1f} s:\n{there.tail(name)}")
    _say(f"{name.removeprefix(there.prefix + '-')}: stopped in {took:.1f} s of {grace - before}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
