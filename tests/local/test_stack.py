"""The local stack starts, restarts on its data, lets another terminal end it, and leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource
from pymongo import MongoClient

from local import stackfile
from local.errors import NotRunning, Refused
from local.mongod import PARTS, PREPARE
from local.processes import started_at
from local.stack import Stack
from local.topics import PARTITIONS, SERVICES, topic_configs

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        stack.start_servers()
        stack.create_topics()
        yield stack


def ports(told: stackfile.StackFile) -> list[int]:
    return [int(address.rpartition(":")[2].split("/")[0]) for address in (told["kafka"], told["mongo"].split("/?")[0])]


def nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_every_topic_has_its_settings(stack: Stack) -> None:
    stack.create_topics()  # again changes nothing
    admin = AdminClient({"bootstrap.servers": stack.servers.kafka})
    topics = admin.list_topics(timeout=10).topics
    wanted = topic_configs()
    assert len(wanted) == 11
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted]
    for resource, future in admin.describe_configs(resources).items():
        found = {name: entry.value for name, entry in future.result(10).items()}
        assert found | wanted[resource.name] == found
        assert len(topics[resource.name].partitions) == PARTITIONS


def test_the_stack_file_leads_other_programs_to_everything(stack: Stack) -> None:
    path = stack.data / "stack.json"
    told = stackfile.read(stack.data)
    assert path.stat().st_mode & 0o077 == 0
    assert told["mongo_uris"].keys() == set(SERVICES)
    for service, addresses in told["mongo_uris"].items():
        assert addresses.keys() == set(PARTS)
        with MongoClient(addresses[PREPARE]) as client:
            assert client.get_default_database().name == f"counterpoint_{service}"
            client.get_default_database()["probe"].insert_one({"from": service})
    assert json.loads(Path(told["clock_file"]).read_text()) == {"offset_ms": 0}
    assert {"kid", "x", "y"} <= json.loads(Path(told["jwks"]).read_text())["keys"][0].keys()


def test_a_second_stack_on_the_same_data_is_refused(stack: Stack) -> None:
    with Stack(stack.data) as second, pytest.raises(Refused, match="counterpoint down"):
        second.start_servers()
    assert stackfile.alive(stackfile.read(stack.data)) == ["mongod", "kafka"]


@pytest.mark.guarantee("running")
def test_it_starts_again_on_its_data_and_stops_without_trace(tmp_path: Path) -> None:
    with Stack(tmp_path) as first:
        first.start_servers()
        first.create_topics()
        before = stackfile.read(tmp_path)
        with MongoClient(first.servers.mongo) as client:
            client["kept"]["rows"].insert_one({"_id": 1})
    assert all(started_at(pid) is None for pid in before["pids"].values())
    assert all(nobody_listens(port) for port in ports(before))
    with pytest.raises(NotRunning):
        stackfile.read(tmp_path)
    with Stack(tmp_path) as again:
        again.start_servers()
        with MongoClient(again.servers.mongo) as client:
            assert client["kept"]["rows"].count_documents({}) == 1
        topics = AdminClient({"bootstrap.servers": again.servers.kafka}).list_topics(timeout=10).topics
        assert topic_configs().keys() <= topics.keys()


OTHER_TERMINAL = """
import pathlib, sys
from local.stack import Stack
with Stack(pathlib.Path(sys.argv[1])) as stack:
    stack.start_servers()
    stack.wait()
"""


@pytest.mark.parametrize("end", ["down", "kill -9"])
def test_another_terminals_stack_ends_with_all_its_processes(tmp_path: Path, end: str) -> None:
    data = tmp_path / "data"
    (data / "mine").mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", OTHER_TERMINAL, str(data)]) as terminal:
        try:
            assert eventually((data / "stack.json").exists, 40)
            told = stackfile.read(data)
            if end == "down":
                assert stackfile.down(data) == ["mongod", "kafka"]
                assert terminal.wait(10) == 0
                assert [path.name for path in data.iterdir()] == ["mine"]  # what the stack did not make stays
            else:
                os.kill(terminal.pid, signal.SIGKILL)
        finally:
            terminal.kill()
    assert eventually(lambda: not stackfile.alive(told))
    assert all(nobody_listens(port) for port in ports(told))


def test_down_spares_a_process_that_only_has_the_recorded_number(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        told = {"pids": {"mongod": stranger.pid}, "started": {"mongod": (started_at(stranger.pid) or 0) - 1}}
        (tmp_path / "stack.json").write_text(json.dumps(told))
        assert stackfile.down(tmp_path) == []
        assert stranger.poll() is None
        stranger.kill()
