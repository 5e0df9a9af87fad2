"""What the machine must have is checked before anything starts, and what is missing is named."""

import hashlib
import platform
import shutil
from pathlib import Path

import pytest

from local import broker, mongod
from local.errors import Failed, Missing, Refused
from local.processes import Child, free_ports, listens


def pin(folder: Path) -> Path:
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in folder.iterdir()]
    pinned = folder.parent / "checksums.sha256"
    pinned.write_text("\n".join(lines))
    return pinned


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "jars"
    folder.mkdir()
    (folder / "a.jar").write_bytes(b"a")
    (folder / "b.jar").write_bytes(b"b")
    return folder


def test_jars_with_the_pinned_bytes_are_taken(folder: Path) -> None:
    broker.verify(folder, pin(folder))


@pytest.mark.guarantee("running")
def test_one_changed_byte_is_refused(folder: Path) -> None:
    pinned = pin(folder)
    (folder / "b.jar").write_bytes(b"B")
    with pytest.raises(Refused, match=r"b\.jar is not the jar that was pinned"):
        broker.verify(folder, pinned)


@pytest.mark.parametrize("change", ["added", "removed"])
def test_a_jar_too_many_or_too_few_is_refused(folder: Path, change: str) -> None:
    pinned = pin(folder)
    if change == "added":
        (folder / "c.jar").write_bytes(b"c")
    else:
        (folder / "b.jar").unlink()
    with pytest.raises(Refused, match="Missing or unknown"):
        broker.verify(folder, pinned)


def test_fetched_jars_with_wrong_bytes_are_not_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(folder)
    (folder / "b.jar").write_bytes(b"changed on the way")
    monkeypatch.setattr(broker, "PINNED", tmp_path)
    monkeypatch.setattr(broker, "_fetch", lambda draft: shutil.copytree(folder, draft))
    with pytest.raises(Refused, match=r"b\.jar"):
        broker.jars(tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_without_java_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(Missing, match=r"(?s)no.* on the PATH.*JDK.*docker compose up"):
        broker.java()


@pytest.mark.parametrize(
    ("version", "fits"), [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("25", True)]
)
def test_an_old_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    program.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if fits:
        assert broker.java() == str(program)
    else:
        with pytest.raises(Missing, match="Java 17 or newer"):
            broker.java()


def test_without_maven_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match="no mvn on the PATH"):
        broker.jars(tmp_path)


def test_an_unsupported_system_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    with pytest.raises(Missing, match=r"this is Darwin"):
        mongod.binary()


def test_a_child_that_ends_early_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child("odd", ["sh", "-c", "echo the reason; exit 3"], tmp_path / "odd.log")
    with pytest.raises(Failed, match=r"(?s)odd ended with code 3 before ready.*the reason"):
        child.wait_until(lambda: False, 10, "ready")


def test_only_the_process_that_holds_the_port_passes_as_its_owner(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    serve = Child("serve", ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"], tmp_path / "a.log")
    other = Child("other", ["sleep", "60"], tmp_path / "b.log")
    try:
        serve.wait_until(lambda: listens(serve.pid, port), 10, "listening")
        assert not listens(other.pid, port)
    finally:
        serve.kill()
        other.kill()
    assert not listens(serve.pid, port)
