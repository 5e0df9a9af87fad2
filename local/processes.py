"""Child processes that never outlive their parent, and whose ports are proven to be theirs (Linux)."""

import atexit
import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from local.errors import Failed

_PR_SET_PDEATHSIG = 1
_LISTENING = "0A"
_living: set["Child"] = set()


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of 127.0.0.1 that nobody listens on.

    They lie below the range from which the system gives ports to outgoing connections, so none is taken in between.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports


def started_at(pid: int) -> int | None:
    """When the process began, in the kernel's ticks since boot; None when it is gone or only a zombie.

    The pair (pid, start) names a process for good: a recycled pid has another start.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A first thread may be a zombie while the others still hold the ports.
    gone = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if gone else int(fields[19])


def listens(pid: int, port: int) -> bool:
    """Whether exactly this process holds the listening socket of the port."""
    inodes = set()
    for table in ("tcp", "tcp6"):  # Java listens through an IPv6 socket even on 127.0.0.1
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return False
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(each.readlink()) in inodes:
                    return True
    return False


class Child:
    """One child process, its output appended to a log file.

    It leads its own session, so that Ctrl-C reaches only the parent, which then stops its children in order. It gets
    SIGTERM when the parent dies, however that happens. The kernel ties this to the *thread* that started it, so it is
    asked for only from the main thread; a child of another thread is stopped when the parent exits normally.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=directory,
                start_new_session=True,
                preexec_fn=_dies_with_parent() if threading.current_thread() is threading.main_thread() else None,
            )
        self.pid = self._process.pid
        self.started = started_at(self.pid) or 0
        _living.add(self)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until `ready()`; Failed when the process ends before or the time is over."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise Failed(f"{self.name} ended with code {self._process.returncode} before {what}.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"{self.name}: not {what} after {seconds:.0f} s.\n{self.tail()}")
            time.sleep(0.02)

    def wait_end(self, seconds: float) -> None:
        """Wait until the process has ended well by itself; Failed when it ends otherwise, or not in time."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name}: not ended after {seconds:.0f} s.\n{self.tail()}") from None
        if code:
            raise Failed(f"{self.name} ended with code {code}.\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The end of what this run of the process wrote."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            text = file.read().decode(errors="replace")
        return "\n".join([f"The end of {self.log}:", *text.splitlines()[-lines:]])

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM)."""
        if self.running:
            self._process.terminate()

    def kill(self) -> None:
        """End the process at once (SIGKILL) and reap it."""
        if self.running:
            self._process.kill()
        self._process.wait()
        _living.discard(self)

    def reap(self, seconds: float) -> None:
        """Wait for the end of the process; after that time, end it at once."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()


def stop(children: Iterable[Child], seconds: float) -> None:
    """End all of them side by side: SIGTERM, and SIGKILL for those that still live after `seconds`."""
    children = list(children)
    for child in children:
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        child.reap(max(0.0, deadline - time.monotonic()))


def _dies_with_parent() -> Callable[[], None]:
    """What the child does between fork and exec; everything that allocates is done before the fork."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died before the request took effect
            os._exit(1)

    return before_exec


@atexit.register
def _stop_the_living() -> None:
    stop([child for child in _living if child.running], 10)
