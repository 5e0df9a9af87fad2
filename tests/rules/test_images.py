"""What the images hold and how docker-compose.yml runs them, read from the files alone: no engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.mongod import REPLICA_SET
from local.tokens import ISSUER
from local.topics import SERVICES
from tests.infrastructure import KAFKA_IMAGE, MONGO_IMAGE

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SETUP = ("keys", "prepare")
PREPARING = tuple(f"{service}-prepare" for service in (*SERVICES, "outlet"))
"""The containers that make a service's database ready, and end."""
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
STAGES = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.S | re.M))


def volumes(container: str) -> dict[str, str]:
    """Where each volume of a container is mounted, with its mode."""
    return dict(volume.split(":", 1) for volume in CONTAINERS[container].get("volumes", ()))


def test_every_base_image_is_named_with_its_version() -> None:
    named = [c["image"] for c in CONTAINERS.values() if "image" in c]
    named += [n for n in re.findall(r"^FROM (\S+)", DOCKERFILE, re.M) if n not in STAGES]
    assert all(re.fullmatch(r"[a-z/-]+:\d+\.\d+[\w.-]*", name) for name in named), named
    assert {KAFKA_IMAGE, MONGO_IMAGE} < set(named), "tests and docker-compose.yml run different servers"


@pytest.mark.guarantee("running")
def test_an_image_holds_contracts_chassis_and_one_service() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", STAGES["requirements"] + STAGES["sources"], re.M)
    assert copied == ["requirements/${SERVICE}.txt", "contracts", "chassis", "${FOLDER}"]
    assert "ARG FOLDER=services/${SERVICE}\n" in STAGES["sources"]
    assert re.findall(r"^COPY (?!--from)(.+)", STAGES["service"], re.M) == []
    assert re.findall(r"^COPY (.+)", STAGES["setup"], re.M) == ["local /app/local"]
    assert DOCKERFILE.rstrip().endswith("\nFROM service"), "the image that is built by default is a service's"


def test_an_image_installs_only_what_is_locked_and_never_mongods_wheel() -> None:
    assert re.findall(r"pip .*install (.+)", STAGES["requirements"])[0].count("--require-hashes") == 1
    assert DOCKERFILE.count("install") == 1
    for service in (*SERVICES, "outlet"):
        locked = (ROOT / f"requirements/{service}.txt").read_text()
        assert "fiftyone" not in locked
        assert all("--hash=sha256:" in each for each in re.split(r"\n(?=\S)", locked.strip()))


def test_an_image_says_what_it_is() -> None:
    said = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]+)"', STAGES["service"]))
    assert said.keys() == {"title", "description", "version", "revision"}
    assert (said["title"], said["version"]) == ("counterpoint-${SERVICE}", "${VERSION}")


@pytest.mark.guarantee("running")
def test_an_image_runs_as_nobody() -> None:
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.M) == ["65534:65534"]
    assert "USER 65534:65534" in STAGES["service"]


def test_the_engine_gets_nothing_but_what_images_are_built_of() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {
        "contracts", "chassis", "services", "outlet", "local", "requirements",
    }  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_container_that_prepares_a_database_knows_who_may(service: str) -> None:
    container = CONTAINERS[f"{service}-prepare"]
    assert container["command"] == ["python", "-m", f"services.{service}", "--prepare"]
    assert (container["user"], container["read_only"]) == ("65534:65534", True)
    assert container["build"] == CONTAINERS[service]["build"]
    volume = f"keys-{service}-prepare"
    assert volumes(f"{service}-prepare") == {f"keys-{service}": "/run/counterpoint:ro", volume: "/run/prepare:ro"}
    assert {name for name in CONTAINERS if volume in volumes(name)} == {f"{service}-prepare", "keys"}
    assert volumes("keys")[volume] == f"/keys/{service}-prepare"
    told = CONTAINERS[service]["environment"]
    assert container["environment"]["COUNTERPOINT_MONGO_URI_FILE"] == "/run/prepare/mongo-uri"
    assert told["COUNTERPOINT_MONGO_URI_FILE"] != told["COUNTERPOINT_RELAY_MONGO_URI_FILE"]


@pytest.mark.guarantee("running")
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_nothing_it_does_not_need(service: str) -> None:
    container = CONTAINERS[service]
    assert container["user"] == "65534:65534"
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert "cap_add" not in container
    assert [volume.split(":")[0] for volume in container["tmpfs"]] == ["/tmp"]  # noqa: S108
    assert "privileged" not in container
    assert container["build"] == {"context": ".", "dockerfile": "deploy/Dockerfile", "args": {"SERVICE": service}}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_its_own_keys_and_nobody_elses(service: str) -> None:
    assert volumes(service) == {f"keys-{service}": "/run/counterpoint:ro", "clock": "/run/clock:ro"}
    assert volumes("keys")[f"keys-{service}"] == f"/keys/{service}"
    readers = {name for name in CONTAINERS if "keys" in volumes(name)}
    assert readers == set(SETUP), "the issuer's key and every password are for the setup alone"


def test_every_container_gives_up_its_rights() -> None:
    for name, container in CONTAINERS.items():
        assert container["cap_drop"] == ["ALL"], name
        assert container["security_opt"] == ["no-new-privileges:true"], name
        assert container.get("cap_add", []) == (["CHOWN"] if name == "keys" else []), name
        assert (container.get("user") == "0:0") == (name in SETUP), name


def test_ports_are_published_on_loopback_only() -> None:
    published = [port for container in CONTAINERS.values() for port in container.get("ports", ())]
    assert len(published) >= len(SERVICES)
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{COUNTERPOINT_\w+_PORT:-\d+}:\d+", port) for port in published), published
    defaults = re.findall(r":-(\d+)}", " ".join(published))
    assert len(defaults) == len(set(defaults))


def test_who_is_waited_for_says_when_it_is_healthy() -> None:
    for name, container in CONTAINERS.items():
        for other, wait in container.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in CONTAINERS[other], f"{name} waits for {other}, which has no health check"
            if wait["condition"] == "service_completed_successfully":
                assert other in (*SETUP, *PREPARING), f"{name} waits for the end of {other}, which does not end"
    for service in SERVICES:
        done = {"condition": "service_completed_successfully"}
        assert CONTAINERS[service]["depends_on"][f"{service}-prepare"] == done
        assert CONTAINERS[f"{service}-prepare"]["depends_on"] == {"prepare": done}
        assert "collector" not in CONTAINERS[service]["depends_on"], "no service waits for its telemetry"


def test_no_secret_is_in_the_file() -> None:
    for name, container in CONTAINERS.items():
        for setting, value in container.get("environment", {}).items():
            if re.search(r"_(PASSWORD|SECRET|TOKEN|KEY|URI)(_|$)", setting):
                assert setting.endswith("_FILE"), f"{name}: {setting}"
                assert str(value).startswith("/run/"), f"{name}: {setting}"
    assert not re.search(r"mongodb://|BEGIN [A-Z ]*KEY", (ROOT / "docker-compose.yml").read_text())


def test_settings_are_those_of_the_code() -> None:
    for service in SERVICES:
        told = CONTAINERS[service]["environment"]
        assert told["COUNTERPOINT_ISSUER"] == ISSUER
        assert ("COUNTERPOINT_FOUNDERS" in told) == (service == "enrollment")
    assert REPLICA_SET in CONTAINERS["mongo"]["command"]
    assert "--keyFile" in CONTAINERS["mongo"]["command"]
    assert CONTAINERS["kafka"]["environment"]["KAFKA_LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS"] == str(2**63 - 1)


def test_the_collector_hears_what_services_send_and_serves_what_is_published() -> None:
    common, single = (yaml.safe_load((ROOT / f"deploy/otel/{name}.yaml").read_text()) for name in ("common", "single"))
    endpoint = CONTAINERS["enrollment"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
    heard = common["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert endpoint.rsplit(":", 1)[1] == heard.rsplit(":", 1)[1]
    inside = {port.rsplit(":", 1)[1] for port in CONTAINERS["collector"]["ports"]}
    pulled = common["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]["port"]
    assert inside == {str(pulled), single["exporters"]["prometheus"]["endpoint"].rsplit(":", 1)[1]}
    mounted = {volume.split(":")[0].rpartition("/")[2] for volume in CONTAINERS["collector"]["volumes"]}
    assert mounted == {"common.yaml", "single.yaml"}
