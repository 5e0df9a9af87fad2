"""What no schema judges in the components: names of metrics, of services and of paths."""

from __future__ import annotations

from local.topics import SERVICES
from tests.deploy.exported import asked, series
from tests.deploy.manifests import WORKLOADS, environment, named, of_kind, rendered


def test_what_scalers_ask_of_prometheus_is_there() -> None:
    scaled = of_kind(rendered("prod"), "ScaledObject")
    queries = [trigger["metadata"]["query"] for each in scaled for trigger in each["spec"]["triggers"]]
    assert len(queries) == len(SERVICES)
    there = series()
    for query in queries:
        (name, labels), *_ = asked(query)
        assert labels and labels <= there[name], query


def test_scalers_scale_what_there_is_and_workers_to_no_more_than_partitions() -> None:
    objects = rendered("prod")
    partitions = {int(environment(w, objects)["COUNTERPOINT_PARTITIONS"]) for w in of_kind(objects, *WORKLOADS)}
    assert partitions == {topic["spec"]["partitions"] for topic in of_kind(objects, "KafkaTopic")}
    for service in SERVICES:
        worker, api = (
            named(objects, "StatefulSet", f"{service}-worker"),
            named(objects, "Deployment", f"{service}-api"),
        )
        assert "replicas" not in worker["spec"] and "replicas" not in api["spec"], "its scaler says how many"
        scaled = named(objects, "ScaledObject", f"{service}-worker")["spec"]
        assert scaled["scaleTargetRef"]["name"] == f"{service}-worker"
        assert {scaled["maxReplicaCount"]} == partitions
        assert f'"counterpoint-{service}"' in scaled["triggers"][0]["metadata"]["query"]
        assert scaled["triggers"][0]["metadata"].keys() == {"serverAddress", "query", "threshold"}
        assert (
            named(objects, "HorizontalPodAutoscaler", f"{service}-api")["spec"]["scaleTargetRef"]["name"]
            == f"{service}-api"
        )


def test_the_route_leads_to_every_service_and_shows_nothing_else() -> None:
    objects = rendered("prod")
    (route,) = of_kind(objects, "HTTPRoute")
    leads = {}
    for rule in route["spec"]["rules"]:
        (match,), (backend,) = rule["matches"], rule["backendRefs"]
        assert match["path"]["type"] == "PathPrefix"
        leads[match["path"]["value"]] = backend["name"]
        ports = {port["port"] for port in named(objects, "Service", backend["name"])["spec"]["ports"]}
        assert {backend["port"]} == ports
    assert leads == {f"/{service}/v1": f"{service}-api" for service in SERVICES}
