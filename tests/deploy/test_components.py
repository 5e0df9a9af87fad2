"""What no schema judges in the components: names of metrics, of services and of paths."""

from __future__ import annotations

import os
import re

import pytest

from chassis.running.settings import Role, Settings
from local.topics import SERVICES
from tests.deploy import policy
from tests.deploy.exported import asked, series
from tests.deploy.manifests import (
    ROOT,
    VERSIONS,
    container,
    environment,
    labels,
    misfits,
    named,
    of_kind,
    rendered,
    secrets,
    selects,
    serving,
)  # fmt: skip


def test_what_scalers_ask_of_prometheus_is_there() -> None:
    scaled = of_kind(rendered("prod"), "ScaledObject")
    queries = [trigger["metadata"]["query"] for each in scaled for trigger in each["spec"]["triggers"]]
    assert len(queries) == len(SERVICES)
    there = series()
    for query in queries:
        (name, by), *_ = asked(query)
        assert by and by <= there[name], query


def test_scalers_scale_what_there_is_and_workers_to_no_more_than_partitions() -> None:
    objects = rendered("prod")
    partitions = {int(environment(w, objects)["COUNTERPOINT_PARTITIONS"]) for w in serving(objects)}
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


def test_the_certificate_is_for_the_host_that_the_route_names() -> None:
    objects = rendered("prod")
    (route,), (certificate,) = of_kind(objects, "HTTPRoute"), of_kind(objects, "Certificate")
    assert certificate["spec"]["dnsNames"] == route["spec"]["hostnames"]
    assert certificate["metadata"]["namespace"] == route["spec"]["parentRefs"][0]["namespace"]


def test_prometheus_reads_ports_that_collectors_have() -> None:
    objects = rendered("prod")
    (monitor,) = of_kind(objects, "PodMonitor")
    balancer, sampler = (
        named(objects, "Deployment", "collector-balancer"),
        named(objects, "StatefulSet", "collector-sampler"),
    )
    ports = [{port["name"] for port in container(each)["ports"]} for each in (balancer, sampler)]
    read = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    assert read == {"metrics", "own-metrics"} and read <= ports[0] and read & ports[1] == {"own-metrics"}
    assert all(selects(monitor["spec"]["selector"], labels(each)) for each in (balancer, sampler))


def test_samplers_are_told_what_they_ask_for_and_pods_send_to_the_balancers() -> None:
    objects = rendered("prod")
    sampler, balancer = named(objects, "StatefulSet", "collector-sampler"), named(objects, "Service", "collector")
    asked = set(re.findall(r"\$\{env:(\w+)", (ROOT / "deploy/otel/sampler.yaml").read_text()))
    assert asked <= environment(sampler, objects).keys()
    headless = named(objects, "Service", sampler["spec"]["serviceName"])
    assert environment(named(objects, "Deployment", "collector-balancer"), objects)["SAMPLERS"] == "collector-sampler"
    assert headless["metadata"]["name"] == "collector-sampler" and headless["spec"]["clusterIP"] == "None"
    told = environment(named(objects, "Deployment", "matching-api"), objects)
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{balancer['spec']['ports'][0]['port']}"
    assert told["OTEL_TRACES_SAMPLER_ARG"] == "1", "what a process has dropped, no sampler can keep"


@pytest.mark.parametrize("tier", policy.COLLECTING)
def test_a_collector_that_anybody_may_call_is_noticed(tier: str) -> None:
    objects = rendered("prod")
    named(objects, "NetworkPolicy", f"collector-{tier}")["spec"]["ingress"] = [{}]
    assert any("ingress differs" in each and tier in each for each in policy.complaints(objects))


def test_a_rebuild_is_a_job_with_what_its_role_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = rendered("../examples/rebuild")
    assert [misfit for version in VERSIONS for misfit in misfits(objects, version)] == []
    jobs = [job for job in of_kind(objects, "Job") if policy.part(job) == "prepare"]
    assert len(jobs) == len(SERVICES)
    for job in jobs:
        service, told = labels(job)["app.kubernetes.io/name"], environment(job, objects)
        assert secrets(job) == {f"{service}-{name}" for name in ("prepare", "kafka", "keys")}
        with monkeypatch.context() as inside:
            for name in [each for each in os.environ if each.startswith("COUNTERPOINT_")]:
                inside.delenv(name)
            for name, value in told.items():
                inside.setenv(name, value)
            settings = Settings()  # type: ignore[call-arg]
        assert (settings.role, settings.rebuild) == (Role.rebuild, "forward")
        mounts = {mount["mountPath"] for mount in container(job)["volumeMounts"]}
        files = (settings.subject_key_file, settings.content_key_file, settings.mongo_uri_file, settings.mongo_ca_file)
        assert all(file and str(file.parent) in mounts for file in files), service
