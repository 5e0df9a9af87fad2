"""The rules of the house for pods, beyond what any cluster demands: each answers what it has against the objects."""

from __future__ import annotations

from collections.abc import Iterator

from chassis.running.program import FLUSH_SECONDS
from chassis.running.settings import Role, Settings
from tests.deploy.manifests import (
    WORKLOADS,
    Edge,
    Object,
    container,
    edges,
    environment,
    labels,
    of_kind,
    pod,
    secrets,
    selects,
    title,
)

NAMES: set[Edge] = {("kube-system/kube-dns", "UDP 53"), ("kube-system/kube-dns", "TCP 53")}
DATABASE: set[Edge] = {("mongodb/mongodb", "TCP 27017")}
KAFKA: set[Edge] = {("kafka/Kafka,counterpoint", "TCP 9093")}
GATEWAY: set[Edge] = {("gateway", "TCP 8080")}
PROMETHEUS = "observability/prometheus"
SERVING = NAMES | DATABASE | KAFKA
OUT = {
    "api": SERVING,
    "relay": SERVING,
    "worker": SERVING,
    "solver": SERVING,
    "prepare": SERVING,
    "users": NAMES | DATABASE,
    "balancer": NAMES | {("sampler", "TCP 4317")},
    "sampler": NAMES | {("observability/tempo", "TCP 4318")},
}
SENDING = ("api", "relay", "worker", "solver")
"""Whose pods send telemetry, to the platform's collector where there is none of our own."""
THEIRS: set[Edge] = {("observability/opentelemetry-collector", "TCP 4318")}
OURS: set[Edge] = {("balancer", "TCP 4318")}
IN: dict[str, set[Edge]] = {
    "api": GATEWAY,
    "balancer": {("api|relay|solver|worker", "TCP 4318"), (PROMETHEUS, "TCP 8888"), (PROMETHEUS, "TCP 8889")},
    "sampler": {("balancer", "TCP 4317"), (PROMETHEUS, "TCP 8888")},
}
COLLECTING = ("balancer", "sampler")
READS = {
    "api": {"decider", "keys", "kafka"},
    "worker": {"decider", "keys", "kafka"},
    "solver": {"decider", "keys", "kafka"},
    "relay": {"relay", "kafka"},
    "prepare": {"prepare", "kafka"},
    "users": {"decider", "relay", "prepare"},
}
"""Which of a service's secrets each of its parts can read: only who makes the users of a database holds two of them."""
SHARED = {"users": {"mongodb-admin"}}
CLEAN_STOP = 15
"""Seconds that docs/operating.md promises a stop takes at most."""
assert Settings.model_fields["stop_seconds"].default + FLUSH_SECONDS < CLEAN_STOP


def complaints(objects: list[Object]) -> Iterator[str]:
    """Everything that a pod is not as it must be, with the name of its workload."""
    for workload in of_kind(objects, *WORKLOADS):
        for rule in (_rights, _probes, _room, _ending, _spread, _network, _known, _image):
            yield from (f"{title(workload)}: {what}" for what in rule(workload, objects))


def part(workload: Object) -> str:
    """What its pods do: a role, or `prepare`."""
    return labels(workload)["app.kubernetes.io/component"]


def _rights(workload: Object, objects: list[Object]) -> Iterator[str]:
    spec, inside = pod(workload), container(workload)
    own = spec.get("securityContext", {})
    if spec.get("automountServiceAccountToken") is not False:
        yield "carries a token of the cluster"
    if not (own.get("runAsNonRoot") and own.get("runAsUser") == 65534 and own.get("runAsGroup") == 65534):
        yield "does not run as nobody"
    if own.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "may make any system call"
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    if inside.get("securityContext") != wanted:
        yield "has rights it does not need"
    if {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys():
        yield "shares something with its node, or starts what nobody looked at"
    service = labels(workload)["app.kubernetes.io/name"]
    own = {f"{service}-{name}" for name in READS.get(part(workload), ())}
    if secrets(workload) != own | SHARED.get(part(workload), set()):
        yield f"reads the secrets {sorted(secrets(workload))}"


def _probes(workload: Object, objects: list[Object]) -> Iterator[str]:
    if workload["kind"] == "Job":
        return
    for name, asked in (("startup", "live"), ("liveness", "live"), ("readiness", "ready")):
        path, port = ("/", "health") if part(workload) in COLLECTING else (f"/health/{asked}", "http")
        if container(workload).get(f"{name}Probe", {}).get("httpGet") != {"path": path, "port": port}:
            yield f"has no {name} probe at {path}"


def _room(workload: Object, objects: list[Object]) -> Iterator[str]:
    resources = container(workload).get("resources", {})
    if not {"cpu", "memory", "ephemeral-storage"} <= resources.get("requests", {}).keys():
        yield "does not say what it needs"
    if not {"memory", "ephemeral-storage"} <= resources.get("limits", {}).keys():
        yield "may take a node's memory"


def _ending(workload: Object, objects: list[Object]) -> Iterator[str]:
    if workload["kind"] == "Job":
        return
    before = container(workload).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if pod(workload).get("terminationGracePeriodSeconds", 0) < before + CLEAN_STOP:
        yield "is killed before it has stopped"
    if part(workload) in ("api", "balancer") and not before:
        yield "stops answering before load balancers know"


def _spread(workload: Object, objects: list[Object]) -> Iterator[str]:
    if workload["kind"] == "Job":
        return
    own = labels(workload)
    over = pod(workload).get("topologySpreadConstraints", ())
    good = {
        c["topologyKey"]
        for c in over
        if selects(c["labelSelector"], own) and own.items() >= c["labelSelector"]["matchLabels"].items()
    }
    if good != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield "is not spread over zones and nodes"
    budgets = [b for b in of_kind(objects, "PodDisruptionBudget") if selects(b["spec"]["selector"], own)]
    if [b["spec"].get("maxUnavailable") for b in budgets] != [1]:
        yield "has not exactly one disruption budget, of one pod"


def _network(workload: Object, objects: list[Object]) -> Iterator[str]:
    for direction, table in (("egress", OUT), ("ingress", IN)):
        found, wanted = edges(workload, objects, direction), table.get(part(workload), set())
        if direction == "egress" and part(workload) in SENDING:
            wanted = wanted | (OURS if any(part(w) == "balancer" for w in of_kind(objects, "Deployment")) else THEIRS)
        if found != wanted:
            yield f"{direction} differs from the list: {sorted(found ^ wanted)}"


def _known(workload: Object, objects: list[Object]) -> Iterator[str]:
    if part(workload) in COLLECTING:
        return
    told = environment(workload, objects)
    names = {n.removeprefix("COUNTERPOINT_").lower() for n in told if n.startswith("COUNTERPOINT_")}
    if unknown := names - Settings.model_fields.keys() - {"log_level"}:
        yield f"is told settings that there are not: {sorted(unknown)}"
    if workload["kind"] != "Job" and told.get("COUNTERPOINT_ROLE") not in set(Role) - {Role.all, Role.main}:
        yield f"has no role of its own: {told.get('COUNTERPOINT_ROLE')}"
    place = dict(pair.split("=") for pair in told.get("OTEL_RESOURCE_ATTRIBUTES", "k8s=").split(","))
    if workload["kind"] != "Job" and place != _place(workload):
        yield f"says that it runs at {place}"
    mounts = {mount["mountPath"] for mount in container(workload).get("volumeMounts", ())}
    own = {entry["name"]: entry.get("value", "") for entry in container(workload).get("env", ())}
    for name, path in own.items():
        if name.endswith("_FILE") and not any(path.startswith(f"{mount}/") for mount in mounts):
            yield f"{name} names a file that is not mounted"


def _place(workload: Object) -> dict[str, str]:
    name, kind = workload["metadata"]["name"], workload["kind"].lower()
    told = {
        "namespace.name": workload["metadata"]["namespace"],
        "node.name": "a-node",
        "pod.name": f"{name}-0",
        "pod.uid": "a-uid",
    }
    told |= {"container.name": container(workload)["name"], f"{kind}.name": name}
    return {f"k8s.{what}": value for what, value in told.items()}


def _image(workload: Object, objects: list[Object]) -> Iterator[str]:
    image = container(workload)["image"]
    service = labels(workload)["app.kubernetes.io/name"]
    if (service if part(workload) in COLLECTING else f"counterpoint-{service}") not in image:
        yield f"runs {image}"
    if ":" not in image.rpartition("/")[2] or image.endswith(":latest"):
        yield f"does not say which {image}"
