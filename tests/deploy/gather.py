"""Gathers the schemas that manifests are held to: `python -m tests.deploy.gather WHEEL CRDS`, only to renew them.

WHEEL is the wheel of PyPI's `kubernetes-validate`, CRDS a folder of CustomResourceDefinitions in YAML. What the
manifests use of them is written to `schemas/`: without descriptions, and closed, so that a misspelt field is refused.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent / "schemas"
VERSIONS = ("1.34", "1.36")
KINDS = {
    "v1": ("ConfigMap", "Namespace", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment", "StatefulSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("NetworkPolicy",),
    "policy/v1": ("PodDisruptionBudget",),
}
CUSTOM = ("KafkaTopic", "KafkaUser", "ScaledObject", "HTTPRoute", "PrometheusRule", "PodMonitor", "Certificate")
_KEPT = {
    "type", "properties", "required", "items", "additionalProperties", "enum", "pattern", "minimum", "maximum",
    "minItems", "maxItems", "minLength", "maxLength", "oneOf", "anyOf", "allOf", "not", "$ref", "format",
}  # fmt: skip


class _Loader(yaml.CSafeLoader):
    """Reads a lone `=` as the text it is, which some enumerations have."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def closed(schema: Any) -> Any:
    """A schema with nothing in it but what judges, in which an unknown field is an error."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    kept = {name: schema[name] for name in _KEPT & schema.keys()}
    judged: dict[str, Any] = {}
    for name, value in kept.items():
        if name == "properties":
            judged[name] = {field: closed(each) for field, each in value.items()}
        elif name == "$ref":
            judged[name] = "#/definitions/" + value.rsplit("/", 1)[1]
        else:
            judged[name] = closed(value)
    free = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in judged and "additionalProperties" not in judged and not free:
        judged["additionalProperties"] = False
    return judged


def _named(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rsplit("/", 1)[1]
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _named(value)


def of_kubernetes(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions of KINDS with all they refer to, and in `kinds` which of them judges which kind."""
    wanted = {(api, kind) for api, kinds in KINDS.items() for kind in kinds}
    kinds = {}
    for name, schema in definitions.items():
        for each in schema.get("x-kubernetes-group-version-kind", ()):
            api = f"{each['group']}/{each['version']}" if each["group"] else each["version"]
            if (api, each["kind"]) in wanted:
                kinds[f"{api} {each['kind']}"] = name
    assert len(kinds) == len(wanted), wanted
    kept: dict[str, Any] = {}
    left = set(kinds.values())
    while left:
        name = left.pop()
        kept[name] = closed(definitions[name])
        left |= set(_named(kept[name])) - kept.keys()
    return {"kinds": kinds, "definitions": kept}


def of_custom(folder: Path) -> dict[str, Any]:
    """The same for CUSTOM; what every object has (`metadata`) is judged by the cluster's own schema of it."""
    kinds, kept = {}, {}
    for path in sorted(folder.glob("*.yaml")):
        for crd in yaml.load_all(path.read_text(), Loader=_Loader):
            if crd and crd["kind"] == "CustomResourceDefinition" and crd["spec"]["names"]["kind"] in CUSTOM:
                kind, group = crd["spec"]["names"]["kind"], crd["spec"]["group"]
                for version in crd["spec"]["versions"]:
                    if version["served"]:
                        api = f"{group}/{version['name']}"
                        kinds[f"{api} {kind}"] = name = f"{api}.{kind}".replace("/", ".")
                        kept[name] = closed(version["schema"]["openAPIV3Schema"])
                        kept[name]["properties"]["metadata"] = {"type": "object"}
    return {"kinds": dict(sorted(kinds.items())), "definitions": kept}


def main(wheel: str, crds: str) -> None:
    """Write `schemas/` anew."""
    found = {"custom.json": of_custom(Path(crds))}
    with zipfile.ZipFile(wheel) as archive:
        for version in VERSIONS:
            path = f"kubernetes_validate/kubernetes-json-schema/v{version}.0-local/_definitions.json"
            definitions = json.loads(archive.read(path))["$defs"]
            found[f"kubernetes-{version}.json"] = of_kubernetes(definitions)
    for name, schemas in found.items():
        (HERE / name).write_text(json.dumps(schemas, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
