"""`make k8s-check`: what a real API server says of the overlays, in the cluster that `kubectl` talks to.

Both overlays are applied with strict validation and warnings as errors, until every pod is admitted and scheduled;
a release is rolled out and a node drained within the disruption budgets; and each planted mistake must be refused.
The cluster must not have a namespace `counterpoint` yet, and has none any more in the end. It needs the custom
resources of Strimzi, KEDA, the Gateway API, cert-manager and the Prometheus operator, and none of their controllers.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from tests.deploy.manifests import OVERLAYS, Object, named, of_kind, rendered, title

OURS = "counterpoint"
SECONDS = 180
NONE = 3
"""Exit code where there is no cluster to ask."""


class Failed(Exception):
    """The cluster did not do what it should."""


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def kubectl(*arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
    """Run kubectl, with objects as its input."""
    text = yaml.safe_dump_all(given) if isinstance(given, list) else None
    return subprocess.run(["kubectl", *arguments], input=text, text=True, capture_output=True, check=False)


def ask(*arguments: str) -> Any:
    """What kubectl answers as JSON."""
    done = kubectl(*arguments, "-o", "json")
    if done.returncode:
        raise Failed(done.stderr.strip())
    return json.loads(done.stdout)


def apply(objects: list[Object], *more: str) -> subprocess.CompletedProcess[str]:
    """Hand objects to the server, which must know every field and warn of nothing."""
    strict = ("--validate=strict", "--warnings-as-errors", "--field-manager=k8s-check")
    return kubectl("apply", "--server-side", *strict, *more, "-f", "-", given=objects)


def main() -> int:
    """Check everything; answers the exit code."""
    if kubectl("get", "--raw", "/readyz").returncode:
        _say("NOT CHECKED: no cluster answers kubectl; name one in KUBECONFIG")
        return NONE
    if not kubectl("get", "namespace", OURS).returncode:
        _say(f"NOT CHECKED: the cluster has a namespace {OURS}, which is not ours to remove")
        return NONE
    try:
        for overlay in OVERLAYS:
            with _beside(rendered(overlay)), _applied(overlay):
                _until(f"{overlay}: every pod is scheduled", _unscheduled)
                if overlay == "prod":
                    _roll_out()
                    _drain()
                    _refuses(rendered(overlay))
    except Failed as failed:
        _say(f"FAILED {failed}")
        return 1
    _say("PASSED")
    return 0


@contextmanager
def _beside(objects: list[Object]) -> Iterator[None]:
    """The other namespaces that something goes to, where the cluster has none of that name."""
    others = {o["metadata"]["namespace"] for o in objects if "namespace" in o["metadata"]} - {OURS}
    made = [name for name in sorted(others) if kubectl("create", "namespace", name).returncode == 0]
    try:
        yield
    finally:
        for name in made:
            kubectl("delete", "namespace", name, "--timeout=120s")


@contextmanager
def _applied(overlay: str) -> Iterator[None]:
    objects = rendered(overlay)
    try:
        done = apply(objects)
        refused = [line for line in (done.stdout + done.stderr).splitlines() if not line.endswith("serverside-applied")]
        _say(f"{overlay}: {len(done.stdout.splitlines())} objects accepted, {len(refused)} refused")
        if done.returncode or refused:
            raise Failed("\n".join([overlay, *refused]))
        yield
    finally:
        kubectl("delete", "--ignore-not-found", "--timeout=120s", "-f", "-", given=objects)


def _until(what: str, left: Callable[[], list[str]]) -> None:
    deadline, began = time.monotonic() + SECONDS, time.monotonic()
    while missing := left():
        if time.monotonic() > deadline:
            warned = [e["message"] for e in ask("-n", OURS, "get", "events")["items"] if e["type"] != "Normal"]
            raise Failed("\n  ".join([what, *missing, *sorted(set(warned))[:8]]))
        time.sleep(1)
    _say(f"{what} ({time.monotonic() - began:.0f} s)")


def _unscheduled() -> list[str]:
    """Which workloads have not all their pods admitted and on a node, or fewer than their autoscaler wants."""
    found, pods = [], ask("-n", OURS, "get", "pods")["items"]
    least = {
        (h["spec"]["scaleTargetRef"]["kind"], h["spec"]["scaleTargetRef"]["name"]): h["spec"]["minReplicas"]
        for h in ask("-n", OURS, "get", "hpa")["items"]
    }
    for workload in ask("-n", OURS, "get", "deploy,sts,job")["items"]:
        if workload["kind"] == "Job" and workload["status"].get("succeeded"):
            continue  # its pod may be gone
        wanted = workload["spec"]["selector"]["matchLabels"].items()
        own = [
            p for p in pods if p["metadata"]["labels"].items() >= wanted and "deletionTimestamp" not in p["metadata"]
        ]
        here = sum(1 for p in own if p["spec"].get("nodeName"))
        due = workload["spec"].get("replicas", 1)
        if here < due or due < least.get((workload["kind"], workload["metadata"]["name"]), 0):
            found.append(f"{title(workload)}: {here} of {due}")
    return found


@contextmanager
def _available() -> Iterator[dict[str, int]]:
    """The fewest pods that each workload had at any look while the block ran."""
    fewest: dict[str, int] = {}
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for each in ask("-n", OURS, "get", "deploy,sts")["items"]:
                ready = each["status"].get("readyReplicas", 0)
                fewest[title(each)] = min(ready, fewest.get(title(each), ready))
            over.wait(0.3)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield fewest
    finally:
        over.set()
        watching.join()


def _roll_out() -> None:
    with _available() as fewest:
        kubectl("-n", OURS, "rollout", "restart", "deployment", "statefulset")
        for each in ask("-n", OURS, "get", "deploy,sts")["items"]:
            done = kubectl("-n", OURS, "rollout", "status", title(each).lower(), f"--timeout={SECONDS}s")
            if done.returncode:
                raise Failed(done.stderr.strip())
    _judge("a release was rolled out", fewest)


def _drain() -> None:
    node = ask("get", "nodes")["items"][0]["metadata"]["name"]
    with _available() as fewest:
        try:
            flags = ("--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={SECONDS}s")
            done = kubectl("drain", node, *flags, f"--pod-selector=app.kubernetes.io/part-of={OURS}")
            if done.returncode:
                raise Failed(f"{node} cannot be drained: {done.stderr.strip()[-500:]}")
            _until(f"{node} is drained", _unscheduled)
        finally:
            kubectl("uncordon", node)
    _judge(f"{node} was drained", fewest)


def _judge(what: str, fewest: dict[str, int]) -> None:
    """Of whatever has several pods, at least all but one were there all the time."""
    several = {title(each): each["spec"]["replicas"] for each in ask("-n", OURS, "get", "deploy,sts")["items"]}
    below = [f"{name}: {fewest[name]} of {n}" for name, n in several.items() if n > 1 and fewest[name] < n - 1]
    if below:
        raise Failed(f"{what}, and left too few: {below}")
    _say(f"{what}: at most one pod of each was away")


def _pod(objects: list[Object]) -> Object:
    """A pod of one API, by itself: Pod Security refuses pods, and never what would make them."""
    template = copy.deepcopy(named(objects, "Deployment", "matching-api")["spec"]["template"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mistaken", "namespace": OURS},
        "spec": template["spec"],
    }


def _refuses(objects: list[Object]) -> None:
    """Ask for each mistake without meaning it; whatever is taken was not noticed."""
    if (done := apply([_pod(objects)], "--dry-run=server")).returncode:
        raise Failed(f"a pod without a mistake is refused: {done.stderr.strip()}")
    for mistake, (kind, change) in MISTAKES.items():
        wrong = _pod(objects) if kind == "Pod" else copy.deepcopy(of_kind(objects, kind)[0])
        change(wrong["spec"])
        done = apply([wrong], "--dry-run=server")
        if not done.returncode:
            raise Failed(f"{mistake}: not refused")
        _say(f"refused: {mistake}: {_reason(done.stderr)}")


def _inside(**changes: Any) -> Callable[[Object], None]:
    return lambda spec: spec["containers"][0].update(changes)


def _secured(**changes: Any) -> Callable[[Object], None]:
    return lambda spec: spec["containers"][0]["securityContext"].update(changes)


def _reason(said: str) -> str:
    """The part of an error that names the field."""
    lines = [line for line in said.strip().splitlines() if "some validation rules were not checked" not in line]
    return lines[-1].strip(" *")[-160:]


MISTAKES: dict[str, tuple[str, Callable[[Object], None]]] = {
    "a misspelt field": ("Pod", _inside(readinesProbe={})),
    "a probe of no kind": ("Pod", _inside(livenessProbe={"periodSeconds": 5, "failureThreshold": 0})),
    "a privileged container": ("Pod", _secured(privileged=True, allowPrivilegeEscalation=True)),
    "capabilities": ("Pod", _secured(capabilities={"add": ["NET_RAW"]})),
    "root": ("Pod", lambda spec: spec["securityContext"].update(runAsUser=0, runAsNonRoot=False)),
    "no seccomp profile": ("Pod", lambda spec: spec["securityContext"].pop("seccompProfile")),
    "the node's network": ("Pod", lambda spec: spec.update(hostNetwork=True)),
    "a folder of the node": ("Pod", lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}})),
    "a selector that selects nothing": ("Deployment", lambda spec: spec["template"]["metadata"].pop("labels")),
    "a port that is none": ("NetworkPolicy", lambda spec: spec.update(egress=[{"ports": [{"port": 70000}]}])),
    "a topic with a word for a number": ("KafkaTopic", lambda spec: spec.update(partitions="many")),
    "a right that there is not": (
        "KafkaUser",
        lambda spec: spec["authorization"]["acls"][0].update(operations=["Own"]),
    ),
    "a scaler without its target": ("ScaledObject", lambda spec: spec.pop("scaleTargetRef")),
    "a route with an unknown match": (
        "HTTPRoute",
        lambda spec: spec["rules"][0]["matches"][0]["path"].update(type="Glob"),
    ),
    "a certificate that nobody issues": ("Certificate", lambda spec: spec.pop("issuerRef")),
    "pods watched at a port of no name": (
        "PodMonitor",
        lambda spec: spec["podMetricsEndpoints"][0].update(port=9, interval="often"),
    ),
    "an alert without an expression": ("PrometheusRule", lambda spec: spec["groups"][0]["rules"][0].pop("expr")),
}


if __name__ == "__main__":
    sys.exit(main())
