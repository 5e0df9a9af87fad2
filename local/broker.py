"""A real Apache Kafka (KRaft, one node, one JVM) as a child process on 127.0.0.1, from jars with known checksums."""

import hashlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from local.errors import Failed, Missing, Refused
from local.files import CHECKOUT, write
from local.processes import Child, listens

PINNED = Path(__file__).parent / "kafka"
JAVA = 17

_JVM = ("-Xms96m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

# One node cannot replicate; small logs and caches; no group waits for members that will not come.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
unclean.leader.election.enable=false
min.insync.replicas=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=2000
log.index.size.max.bytes=1048576
# The local stack's clock travels ahead, and records carry its time.
log.message.timestamp.after.max.ms=9223372036854775807
"""


def java() -> str:
    """The java program, of JAVA_HOME or of PATH; Missing where there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin") if home else None
    program = program or shutil.which("java")
    how = f"Install a JDK of version {JAVA} or newer (Debian, Ubuntu: openjdk-17-jdk-headless; or Temurin)."
    if program is None:
        raise Missing("Kafka needs Java, and there is none on the PATH.", how)
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < JAVA:
        raise Missing(f"Kafka needs Java {JAVA} or newer; {program} is {version[1] if version else 'none'}.", how)
    return program


def jars(store: Path = CHECKOUT / ".local" / "kafka", say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time; every byte is checked every time.

    Raises Missing without Maven, Failed when it cannot fetch, Refused when a jar is not the one that was pinned.
    """
    pinned = PINNED / "checksums.sha256"
    folder = store / hashlib.sha256(pinned.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        say("Fetching Kafka's jars (44 MiB, once for this checkout)")
        draft = store / f"draft-{secrets.token_hex(4)}"
        try:
            _fetch(draft)
            verify(draft, pinned)
            if not folder.exists():
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    verify(folder, pinned)
    return folder


def verify(folder: Path, pinned: Path) -> None:
    """Refused unless the folder holds exactly the files that `pinned` (sha256sum's format) names, byte for byte."""
    expected = {name: digest for digest, name in (line.split() for line in pinned.read_text().splitlines())}
    found = {path.name: path for path in folder.iterdir()}
    if found.keys() != expected.keys():
        odd = ", ".join(sorted(found.keys() ^ expected.keys()))
        raise Refused(f"{folder} does not hold the jars that {pinned} names. Missing or unknown: {odd}")
    for name, path in found.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != expected[name]:
            raise Refused(
                f"{path} is not the jar that was pinned: sha256 {digest}, expected {expected[name]}.\n"
                "Nothing was started. Remove the jar from there and from Maven's cache, then try again."
            )


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Kafka's jars come by Maven, and there is no mvn on the PATH.", "Install maven (any 3.x).")
    command = [maven, "-q", "-B", "-f", str(PINNED / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Failed(f"Maven could not fetch Kafka's jars. The end of what it said:\n{end}")


class Kafka:
    """One Kafka on `data`; the same directory may be started again, on any port.

    `more` are properties that come after its own, with `{port}` in them; `users` are who may come in, each with a
    password, where those properties ask for one by SCRAM-SHA-512.
    """

    def __init__(
        self,
        data: Path,
        log: Path,
        port: int,
        controller: int,
        *,
        more: str = "",
        users: Mapping[str, str] | None = None,
    ) -> None:
        self._more = more
        self._users = users or {}
        self._data = data
        self._log = log
        self._controller = controller
        self.port = port
        self.child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    def spawn(self, say: Callable[[str], None] = lambda text: None) -> None:
        """Format the directory the first time and start the process; `wait` says when it serves."""
        program, classpath = java(), f"{jars(say=say)}/*"
        properties, made = self._data / "server.properties", self._data / "made"
        if not made.exists():  # written last: without it the directory is half made and is begun again
            shutil.rmtree(self._data, ignore_errors=True)
        (self._data / "tmp").mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(port=self.port, controller=self._controller, logs=self._data / "logs")
        text += self._more.format(port=self.port)
        write(properties, text)
        command = [program, *_JVM, f"-Djava.io.tmpdir={self._data / 'tmp'}", "-cp", classpath]
        command.insert(-2, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        if not made.exists():
            cluster = secrets.token_urlsafe(16)
            format_ = [*command, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
            for user, password in self._users.items():
                format_ += ["--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]"]
            done = subprocess.run(format_, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Failed(f"Kafka could not format {self._data}:\n{done.stdout}{done.stderr}")
            made.touch()
        self.child = Child("kafka", [*command, "kafka.Kafka", str(properties)], self._log)

    def wait(self, seconds: float = 60) -> None:
        """Wait until the broker listens; Failed otherwise."""
        assert self.child is not None, "spawn first"
        child = self.child
        child.wait_until(lambda: listens(child.pid, self.port), seconds, "listening")
