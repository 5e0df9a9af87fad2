"""The whole program on this machine: both servers, the topics, the four services and the outlet, as child processes."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from local import processes, stackfile
from local.environment import clock_file, environment, outlet_environment, spans_dir
from local.errors import Failed, NotRunning, Refused
from local.files import CHECKOUT
from local.mongod import DECIDER, PREPARE
from local.processes import Child, free_ports, listens
from local.servers import Servers
from local.stackfile import DATA, StackFile
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import SERVICES, create_topics

USUAL = ("all",)
ROLES = {"matching": ("main", "solver")}
"""The processes of a service: the first one answers."""
OUTLET = "outlet"


class Stack:
    """One local stack on one data directory; a context manager that stops whatever was started.

    A process is named like its service, or `<service>.<role>` where a role runs alone. It keeps its URL when it is
    started again. `founders` are the token subjects that may open programs; `through` is a module that runs those of
    the services, for tests. Raises the errors of `local.errors`.
    """

    def __init__(
        self,
        data: Path = DATA,
        *,
        founders: Sequence[str] = ("founder",),
        through: str | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.data = data.resolve()
        self.servers = Servers(self.data, say)
        self.mongo_uris: dict[str, dict[str, str]] = {}
        self._founders = tuple(founders)
        self._run = [sys.executable, "-m", *([through] if through else [])]
        self._say = say
        self._children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}
        self._prepared: set[str] = set()

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of every process that was started, by name."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self._ports.items()}

    @property
    def clock_file(self) -> Path:
        """The travelling clock of this stack."""
        return clock_file(self.data)

    def start_servers(self) -> None:
        """Start mongod and Kafka, and give every service its own database and users."""
        with contextlib.suppress(NotRunning):
            running = stackfile.read(self.data)
            raise Refused(f"A stack runs on {self.data} already (pids {running['pids']}). End it: counterpoint down")
        self._say("Starting MongoDB and Kafka")
        self.servers.start()
        for service in SERVICES:
            self.mongo_uris[service] = self.servers.users(f"counterpoint_{service}")
        self._publish()

    def create_topics(self) -> None:
        """Create the topics that do not exist yet."""
        create_topics(self.servers.kafka)

    def start_services(self, only: Iterable[str] | None = None) -> None:
        """Start the processes of each service (or each of `only`); `wait_ready` waits for them."""
        services = list(only or SERVICES)
        self._prepare(services)
        for service in services:
            for role in ROLES.get(service, USUAL):
                self.start_service(service, role)

    def start_service(self, name: str, role: str | None = None) -> None:
        """Start a process of a service, by default the one that answers; ValueError when it runs already."""
        usual, *_ = ROLES.get(name, USUAL)
        role = role or usual
        process = name if role == usual else f"{name}.{role}"
        if process in self._children and self._children[process].running:
            raise ValueError(f"{process} runs already")
        self._prepare([name])
        port = self._ports.get(process) or free_ports(1)[0]
        self._children[process] = self._spawn(name, process, role, port)
        self._ports[process] = port
        self._publish()

    def start_outlet(self) -> None:
        """Start the outlet, which hands public facts to systems without Kafka."""
        port = self._ports.get(OUTLET) or free_ports(1)[0]
        users = self.servers.users(f"counterpoint_{OUTLET}")
        preparing = self._outlet(f"{OUTLET}.prepare", port, users[PREPARE], "--prepare")
        try:
            preparing.wait_end(60)
        finally:
            processes.stop([preparing], 5)
        self._children[OUTLET] = self._outlet(OUTLET, port, users[DECIDER])
        self._ports[OUTLET] = port
        self._publish()

    def _outlet(self, process: str, port: int, mongo: str, *arguments: str) -> Child:
        env = outlet_environment(self.data, port=port, kafka=self.servers.kafka, mongo=mongo)
        log = self.data / "logs" / f"{process}.log"
        return Child(process, [sys.executable, "-m", "outlet", *arguments], log, env, CHECKOUT)

    def _spawn(self, name: str, process: str, role: str, port: int = 0, *arguments: str) -> Child:
        env = environment(
            self.data,
            name,
            process=process,
            role=role,
            port=port,
            kafka=self.servers.kafka,
            mongo=self.mongo_uris[name],
            founders=self._founders,
        )
        log = self.data / "logs" / f"{process}.log"
        return Child(process, [*self._run, f"services.{name}", *arguments], log, env, self.folder_of(process))

    def folder_of(self, process: str) -> Path:
        """The checkout whose code a process runs; tests have processes of an older one, too."""
        return CHECKOUT

    def _prepare(self, services: Iterable[str]) -> None:
        """Make each service's database ready, once for each start of the servers, side by side."""
        new = {
            name: self._spawn(name, f"{name}.prepare", PREPARE, 0, "--prepare")
            for name in services
            if name not in self._prepared
        }
        try:
            for child in new.values():
                child.wait_end(60)
        finally:
            processes.stop(new.values(), 5)
        self._prepared |= new.keys()

    def stop_service(self, name: str) -> None:
        """Ask the process to finish its work (SIGTERM), and wait for its end."""
        processes.stop([self._children.pop(name)], 15)
        self._publish()

    def kill_service(self, name: str) -> None:
        """End the process at once (SIGKILL): what a crash looks like."""
        self._children.pop(name).kill()
        self._publish()

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until every started service process answers that it is ready; Failed with the end of its log."""
        deadline = time.monotonic() + timeout
        with httpx.Client(timeout=5, trust_env=False) as http:
            for name, child in self._children.items():
                left = max(0.0, deadline - time.monotonic())
                child.wait_until(partial(self._ready, http, name, child), left, "ready")

    def wait(self) -> None:
        """Wait until another terminal ends the stack; Failed when a server dies by itself. Ctrl-C interrupts."""
        while (self.data / "stack.json").exists():
            dead = [child for child in self.servers.children.values() if not child.running]
            time.sleep(1 if dead else 0.2)  # `down` removes the file just after it has ended the servers
            if dead and (self.data / "stack.json").exists():
                raise Failed(f"{dead[0].name} ended by itself.\n{dead[0].tail()}")

    def stop(self) -> None:
        """End the services side by side, then the servers; again does nothing. The data stays."""
        processes.stop(self._children.values(), 15)
        self._children.clear()
        started = bool(self.servers.children)
        self.servers.stop()
        if started:
            (self.data / "stack.json").unlink(missing_ok=True)

    def _ready(self, http: httpx.Client, name: str, child: Child) -> bool:
        if not listens(child.pid, self._ports[name]):
            return False
        with contextlib.suppress(httpx.HTTPError):
            return http.get(f"{self.urls[name]}/health/ready").status_code == 200
        return False

    def _publish(self) -> None:
        children = {**self.servers.children, **self._children}
        told: StackFile = {
            "kafka": self.servers.kafka,
            "mongo": self.servers.mongo,
            "mongo_uris": self.mongo_uris,
            "services": {n: url for n, url in self.urls.items() if n != OUTLET and not n.endswith(".solver")},
            "outlet": self.urls.get(OUTLET, ""),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks": str(jwks_file(self.data)),
            "clock_file": str(self.clock_file),
            "spans_dir": str(spans_dir(self.data)),
            "data": str(self.data),
            "pids": {name: child.pid for name, child in children.items()},
            "started": {name: child.started for name, child in children.items()},
        }
        stackfile.publish(self.data, told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
