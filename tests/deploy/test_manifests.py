"""Every overlay renders, fits the schemas of two Kubernetes versions, and keeps the rules of the house."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from chassis.running import once
from chassis.running.runtime import Runtime
from chassis.running.settings import Role, Settings
from local.topics import SERVICES
from tests.deploy import policy
from tests.deploy.guarded import certificates
from tests.deploy.manifests import (
    OVERLAYS,
    VERSIONS,
    WORKLOADS,
    Object,
    container,
    environment,
    misfits,
    named,
    of_kind,
    pod,
    rendered,
    serving,
    title,
)  # fmt: skip

pytestmark = pytest.mark.parametrize("overlay", OVERLAYS)


def test_there_is_everything_of_every_service(overlay: str) -> None:
    found = {title(o) for o in of_kind(rendered(overlay), *WORKLOADS)}
    kinds = {"api": "Deployment", "relay": "Deployment", "worker": "StatefulSet", "prepare": "Job"}
    wanted = {f"{kind}/{service}-{part}" for service in SERVICES for part, kind in kinds.items()}
    assert found >= wanted | {"Deployment/matching-solver"}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_fits_the_schemas(overlay: str, version: str) -> None:
    assert list(misfits(rendered(overlay), version)) == []


@pytest.mark.guarantee("running")
def test_it_keeps_the_rules_of_the_house(overlay: str) -> None:
    assert list(policy.complaints(rendered(overlay))) == []


@pytest.mark.guarantee("running")
async def test_every_process_starts_with_the_settings_and_files_it_is_given(
    overlay: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [n for n in os.environ if n.startswith("COUNTERPOINT_")]:
        monkeypatch.delenv(name)
    objects = rendered(overlay)
    for workload in serving(objects):
        root = tmp_path / title(workload)
        given = {name: _mounted(workload, value, root) for name, value in environment(workload, objects).items()}
        with monkeypatch.context() as inside:
            for name, value in given.items():
                inside.setenv(name, value)
            settings = once.settings() if workload["kind"] == "Job" else Settings()  # type: ignore[call-arg]
        assert (settings.environment, settings.http_host) == ("production", "0.0.0.0"), title(workload)  # noqa: S104
        service = import_module(f"services.{given['SERVICE']}.service").SERVICE
        runtime = Runtime(service, settings)
        user = None if policy.part(workload) == "users" else f"counterpoint-{service.name}"
        assert settings.kafka.user == user, title(workload)
        assert (settings.mongo_ca_file is None) == (overlay != "prod"), title(workload)
        assert (settings.member is None) == (workload["kind"] != "StatefulSet"), title(workload)
        if settings.role is not Role.relay and workload["kind"] != "Job":
            assert runtime.tokens and runtime.contents, title(workload)
        await runtime.database.close()


@cache
def _authority() -> str:
    with tempfile.TemporaryDirectory() as folder:
        return certificates(Path(folder))[0].read_text()


def _mounted(workload: Object, value: str, root: Path) -> str:
    """A path inside a pod as one below `root`, with a file there if the pod has such a one."""
    mounts = {m["mountPath"]: m["name"] for m in container(workload)["volumeMounts"]}
    place, _, file = value.rpartition("/")
    if not value.startswith("/run/"):
        return value
    if place in mounts:
        (root / place[1:]).mkdir(parents=True, exist_ok=True)
        text = {"mongo-uri": "mongodb://127.0.0.1:1/", "ca.crt": _authority()}.get(
            file, base64.b64encode(b"k" * 32).decode()
        )
        (root / value[1:]).write_text(text)
    return str(root / value[1:])


def test_the_namespace_refuses_whatever_is_not_restricted(overlay: str) -> None:
    (namespace,) = of_kind(rendered(overlay), "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_no_secret_is_rendered(overlay: str) -> None:
    assert not of_kind(rendered(overlay), "Secret")
    told = [value for c in of_kind(rendered(overlay), "ConfigMap") for value in c["data"].values()]
    assert not [value for value in told if re.search(r"mongodb(\+srv)?://|BEGIN [A-Z ]*KEY", value)]


def _misspell(objects: list[Object]) -> None:
    inside = pod(named(objects, "Deployment", "matching-api"))["containers"][0]
    inside["readinesProbe"] = inside.pop("readinessProbe")


def _drop(*path: str | int) -> Callable[[list[Object]], None]:
    def change(objects: list[Object]) -> None:
        there: Any = pod(named(objects, "StatefulSet", "matching-worker"))
        for step in path[:-1]:
            there = there[step]
        del there[path[-1]]

    return change


def _put(
    value: Any, *path: str | int, kind: str = "Deployment", name: str = "matching-api"
) -> Callable[[list[Object]], None]:
    def change(objects: list[Object]) -> None:
        there: Any = named(objects, kind, name)["spec"]
        for step in path[:-1]:
            there = there[step]
        there[path[-1]] = value

    return change


def _forget(variable: str) -> Callable[[list[Object]], None]:
    def change(objects: list[Object]) -> None:
        inside = pod(named(objects, "Deployment", "matching-api"))["containers"][0]
        inside["env"] = [each for each in inside["env"] if each["name"] != variable]

    return change


def _without(kind: str, name: str) -> Callable[[list[Object]], None]:
    return lambda objects: objects.remove(named(objects, kind, name))


_IN = ("template", "spec", "containers", 0)
MISTAKES = {
    "a misspelt field": (_misspell, "readinesProbe"),
    "a number in quotes": (_put("2", "replicas"), "'2' is not of type"),
    "a missing liveness probe": (_drop("containers", 0, "livenessProbe"), "no liveness probe"),
    "readiness that asks for life": (
        _put("/health/live", *_IN, "readinessProbe", "httpGet", "path"), "no readiness probe",
    ),
    "egress to anywhere": (
        _put([{}], "egress", kind="NetworkPolicy", name="kafka"), "('anywhere', 'any port')",
    ),
    "egress to a network": (
        _put([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}], "egress", kind="NetworkPolicy", name="names"), "0.0.0.0/0",
    ),
    "no policy that refuses": (_without("NetworkPolicy", "nothing"), "ingress differs"),
    "a call from one service to another": (
        _put([{"from": [{"podSelector": {}}]}], "ingress", kind="NetworkPolicy", name="callers"), "ingress differs",
    ),
    "a root that can be written": (_put(False, *_IN, "securityContext", "readOnlyRootFilesystem"), "has rights"),
    "a user who is root": (_put(0, "template", "spec", "securityContext", "runAsUser"), "as nobody"),
    "a token of the cluster": (_put(True, "template", "spec", "automountServiceAccountToken"), "carries a token"),
    "the relay's user in an API pod": (
        _put("matching-relay", "template", "spec", "volumes", 1, "secret", "secretName"), "reads the secrets",
    ),
    "a setting that there is not": (_put("COUNTERPOINT_ROLL", *_IN, "env", 1, "name"), "'roll'"),
    "telemetry to anywhere": (_put([{}], "egress", kind="NetworkPolicy", name="collector"), "('anywhere', 'any port')"),
    "a pod that does not say where it runs": (_forget("OTEL_RESOURCE_ATTRIBUTES"), "runs at"),
    "no limit of memory": (_drop("containers", 0, "resources", "limits"), "may take a node's memory"),
    "a pod killed in the middle": (_put(9, "template", "spec", "terminationGracePeriodSeconds"), "is killed before"),
    "no disruption budget": (_without("PodDisruptionBudget", "matching-worker"), "disruption budget"),
    "another service's image": (_put("counterpoint-insights:dev", *_IN, "image"), "runs counterpoint-insights"),
    "an image of any age": (_put("counterpoint-matching", *_IN, "image"), "does not say which"),
}  # fmt: skip


@pytest.mark.guarantee("running")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(overlay: str, mistake: str) -> None:
    objects = rendered(overlay)
    change, said = MISTAKES[mistake]
    change(objects)
    found = [*misfits(objects, VERSIONS[-1]), *policy.complaints(objects)]
    assert any(said in each for each in found), found


def test_production_names_images_by_digest(overlay: str) -> None:
    images = {container(w)["image"] for w in of_kind(rendered(overlay), *WORKLOADS)}
    assert len(images) == len(SERVICES) + (overlay == "prod")  # the collector's
    assert all(("@sha256:" in image) == (overlay == "prod") for image in images)
