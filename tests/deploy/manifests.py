"""The Kubernetes manifests as kustomize renders them, and what is read out of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "prod")
SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = ("1.34", "1.36")
WORKLOADS = ("Deployment", "StatefulSet", "Job")
Object = dict[str, Any]
Edge = tuple[str, str]
"""Where a pod may connect to, or who may to it, and on what protocol and port."""


def _renderer() -> list[str]:
    if found := shutil.which("kustomize"):
        return [found, "build"]
    if found := shutil.which("kubectl"):
        return [found, "kustomize"]
    pytest.skip("THE KUBERNETES MANIFESTS ARE NOT CHECKED: neither kubectl nor kustomize is on the PATH")


@cache
def _text(folder: Path) -> str:
    done = subprocess.run([*_renderer(), str(folder)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{folder} does not render:\n{done.stderr}"
    return done.stdout


def rendered(overlay: str) -> list[Object]:
    """The objects of an overlay, anew each time, so that a test may change them."""
    return [o for o in yaml.load_all(_text(K8S / "overlays" / overlay), Loader=yaml.CSafeLoader) if o]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    """Those of these kinds."""
    return [o for o in objects if o["kind"] in kinds]


def serving(objects: list[Object]) -> list[Object]:
    """The workloads whose pods run a service: all but the collectors."""
    return [w for w in of_kind(objects, *WORKLOADS) if "opentelemetry" not in labels(w)["app.kubernetes.io/name"]]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one of that kind and name."""
    (found,) = (o for o in of_kind(objects, kind) if o["metadata"]["name"] == name)
    return found


def title(workload: Object) -> str:
    """How an object is called in what a test says."""
    return f"{workload['kind']}/{workload['metadata']['name']}"


def labels(workload: Object) -> dict[str, str]:
    """The labels of a workload's pods."""
    found: dict[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return found


def pod(workload: Object) -> Object:
    """What a workload's pods are made of."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def container(workload: Object) -> Object:
    """The one container of a workload's pods."""
    (found,) = pod(workload)["containers"]
    return dict(found)


def environment(workload: Object, objects: list[Object]) -> dict[str, str]:
    """The environment of a workload's process, as the kubelet would make it."""
    known: dict[str, str] = {}
    for source in container(workload).get("envFrom", ()):
        known |= named(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    for entry in container(workload).get("env", ()):
        if "valueFrom" in entry:
            path = entry["valueFrom"]["fieldRef"]["fieldPath"]
            name, namespace = (workload["metadata"][field] for field in ("name", "namespace"))
            told = {"name": f"{name}-0", "uid": "a-uid", "namespace": namespace, "nodeName": "a-node"}
            label = path.removeprefix("metadata.labels['").removesuffix("']")
            value = labels(workload)[label] if label != path else told[path.rpartition(".")[2]]
        else:
            value = entry["value"]
            for name, text in known.items():
                value = value.replace(f"$({name})", text)
        known[entry["name"]] = value
    return known


def secrets(workload: Object) -> set[str]:
    """The names of the secrets a workload's pods can read."""
    volumes = pod(workload).get("volumes", ())
    sources = [source for v in volumes for source in (v, *v.get("projected", {}).get("sources", ()))]
    return {s["secret"].get("secretName") or s["secret"]["name"] for s in sources if "secret" in s}


def selects(selector: Object, these: dict[str, str]) -> bool:
    """Whether a label selector selects what has these labels."""
    if not all(these.get(name) == value for name, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        inside = these.get(each["key"]) in each["values"]
        assert each["operator"] in ("In", "NotIn"), each
        if inside != (each["operator"] == "In"):
            return False
    return True


def edges(workload: Object, objects: list[Object], direction: str) -> set[Edge]:
    """Everything a workload's pods may connect to (`egress`), or all who may connect to them (`ingress`)."""
    other, found, guarded = {"egress": "to", "ingress": "from"}[direction], set[Edge](), False
    for policy in of_kind(objects, "NetworkPolicy"):
        spec, same = policy["spec"], policy["metadata"]["namespace"] == workload["metadata"]["namespace"]
        if (
            not same
            or direction.capitalize() not in spec["policyTypes"]
            or not selects(spec["podSelector"], labels(workload))
        ):
            continue
        guarded = True
        for rule in spec.get(direction, ()):
            peers = [_peer(peer) for peer in rule.get(other, ())] or ["anywhere"]
            ports = [f"{p.get('protocol', 'TCP')} {p.get('port', 'any')}" for p in rule.get("ports", ())] or [
                "any port"
            ]
            found |= {(peer, port) for peer in peers for port in ports}
    return found if guarded else {("anywhere", "any port")}


def _peer(peer: Object) -> str:
    if "ipBlock" in peer:
        return str(peer["ipBlock"])

    return "/".join(_words(peer[part]) for part in ("namespaceSelector", "podSelector") if part in peer)


def _words(selector: Object) -> str:
    told = sorted(selector.get("matchLabels", {}).values())
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "In", each
        told.append("|".join(sorted(each["values"])))
    return ",".join(told) or "*"


@cache
def _judges(version: str) -> dict[str, Draft7Validator]:
    judges = {}
    for name in (f"kubernetes-{version}", "custom"):
        known = json.loads((SCHEMAS / f"{name}.json").read_text())
        for kind, definition in known["kinds"].items():
            schema = {"$ref": f"#/definitions/{definition}", "definitions": known["definitions"]}
            judges[kind] = Draft7Validator(schema)
    return judges


def misfits(objects: list[Object], version: str) -> Iterator[str]:
    """What the schemas of a Kubernetes version, and of the custom resources, say against the objects."""
    for o in objects:
        judge = _judges(version).get(f"{o['apiVersion']} {o['kind']}")
        if judge is None:
            yield f"{title(o)}: no schema of {o['apiVersion']} {o['kind']}"
        else:
            yield from (f"{title(o)}: {e.json_path}: {e.message[:200]}" for e in judge.iter_errors(o))
