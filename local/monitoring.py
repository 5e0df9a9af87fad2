"""Writes what a cluster's Prometheus operator reads, from the plain rule file that any Prometheus reads."""

from __future__ import annotations

from local.files import CHECKOUT

RULES = CHECKOUT / "deploy/alerts/counterpoint.yaml"
RESOURCE = CHECKOUT / "deploy/k8s/components/monitoring/rules.yaml"
_HEAD = """\
# Made by `make monitoring` from deploy/alerts/counterpoint.yaml: change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: counterpoint
  namespace: counterpoint
spec:
"""


def resource() -> str:
    """The rules as a PrometheusRule, as YAML."""
    _, _, groups = RULES.read_text().partition("\ngroups:\n")
    return _HEAD + "".join(f"  {line}\n" for line in ("groups:\n" + groups).splitlines())


if __name__ == "__main__":
    RESOURCE.write_text(resource())
