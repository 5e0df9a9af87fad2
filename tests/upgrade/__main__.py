"""`make upgrade-check FROM=<tag or commit>`: bring today's release out beside that one, in the middle of its story.

The older release's processes begin, and its own story is told to them. Then the newer ones come beside them, prepare,
hear, answer in turns with them and, where their folds are others, fill their views anew; the older ones go one by one.
The story must go on to its end, nothing may be parked, everything must be heard, and each journal be whole.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from local.environment import OPERATOR
from local.files import CHECKOUT
from local.processes import free_ports
from local.stack import ROLES, USUAL, Stack
from local.tokens import mint
from local.topics import SERVICES

SECONDS = 180
NEXT = ".next"
"""What the processes of the newer release are called by, after their service and role."""


class Failed(Exception):
    """Something did not go on as it should."""


class TwoReleases(Stack):
    """A local stack whose processes are an older release's, with today's beside them."""

    def __init__(self, data: Path, older: Path) -> None:
        super().__init__(data)
        self.older = older

    def folder_of(self, process: str) -> Path:
        """Today's for those that are called so, the older release's for all others."""
        return CHECKOUT if NEXT in process else self.older

    def beside(self, service: str) -> None:
        """Prepare the service for today's release, and start its processes beside the older one's."""
        run = self._spawn(service, f"{service}.prepare{NEXT}", "prepare", 0, "--prepare")
        run.wait_end(60)
        for role in ROLES.get(service, USUAL):
            process = f"{service}.{role}{NEXT}"
            self._ports[process] = free_ports(1)[0]
            self._children[process] = self._spawn(service, process, role, self._ports[process])

    def go(self, service: str) -> None:
        """End the older release's processes of the service."""
        for role in ROLES.get(service, USUAL):
            self.stop_service(service if role == ROLES.get(service, USUAL)[0] else f"{service}.{role}")

    def answering(self, service: str) -> list[str]:
        """The processes of a service that answer and are ready, as a load balancer finds them."""
        return [name for name, url in self.urls.items() if self._answers(service, name) and ready(url)]

    def newer(self, service: str) -> str:
        """The process of today's release that answers."""
        return f"{service}.{ROLES.get(service, USUAL)[0]}{NEXT}"

    def rebuild(self, service: str) -> None:
        """Fill today's views from the first fact, and make them the live ones."""
        self._spawn(service, f"{service}.rebuild{NEXT}", "rebuild").wait_end(SECONDS)

    def audit(self, service: str) -> None:
        """Fail unless the service's journal is whole and Kafka was told the same."""
        self._spawn(service, f"{service}.audit{NEXT}", "all", 0, "--audit").wait_end(SECONDS)

    def _answers(self, service: str, name: str) -> bool:
        return name in self._children and name in (service, self.newer(service))


def ready(url: str) -> bool:
    """Whether a process says that it can work."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=4, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def until(done: Callable[[], bool], what: str) -> None:
    """Wait until it is so; Failed after a while."""
    deadline = time.monotonic() + SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise Failed(f"not in {SECONDS} s: {what}")
        time.sleep(0.2)


def bring_out(stack: TwoReleases, service: str) -> None:
    """Today's processes beside the older ones, working; with other folds, once their views are the live ones."""
    stack.beside(service)
    url = stack.urls[stack.newer(service)]
    waits: set[str] = set()

    def settled() -> bool:
        try:
            answer = httpx.get(f"{url}/health/ready", timeout=4, trust_env=False)
        except httpx.HTTPError:
            return False
        waits.clear()
        waits.update(answer.json().get("waiting_for", []))
        return not waits or waits == {"inbox"}

    until(settled, f"{service} of today's release starts")
    if waits:
        began = time.monotonic()
        stack.rebuild(service)
        say(f"   {service}: its views were filled anew in {time.monotonic() - began:.1f} s")
        until(lambda: ready(url), f"{service} of today's release is ready")


STEPS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "gathers": (("insights", "matching"), ()),
    "pairs": (("scheduling", "enrollment"), ()),
    "parts": ((), ("insights", "scheduling")),
    "reports": ((), ("enrollment", "matching")),
}
"""Which services' newer processes come, and whose older ones go, before a chapter: hearers first."""


def tell(stack: TwoReleases) -> dict[str, int]:
    """Tell the older release's story while the processes change; answers how it ended."""
    script = (CHECKOUT / "tests/upgrade/telling.py").read_text()
    command = [sys.executable, "-c", script, str(stack.data)]
    with subprocess.Popen(command, cwd=stack.older, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as teller:
        assert teller.stdin and teller.stdout
        for line in teller.stdout:
            said = json.loads(line)
            if "chapter" not in said:
                ended: dict[str, int] = said
                break
            come, leave = STEPS.get(said["chapter"], ((), ()))
            for service in come:
                bring_out(stack, service)
            for service in leave:
                stack.go(service)
            until(lambda: all(stack.answering(service) for service in SERVICES), "somebody answers for each service")
            there = {service: stack.answering(service) for service in SERVICES}
            say(f"{said['chapter']}: {', '.join(name for names in there.values() for name in names)} answer")
            teller.stdin.write(json.dumps({s: [stack.urls[n] for n in names] for s, names in there.items()}) + "\n")
            teller.stdin.flush()
        else:
            raise Failed("the story did not come to its end")
    return ended


def judge(stack: TwoReleases) -> None:
    """Nothing is parked, everything is heard, and every journal is whole."""
    told = {"authorization": f"Bearer {mint(stack.data, OPERATOR)}"}
    for service in SERVICES:
        url = stack.urls[stack.newer(service)]

        def heard(url: str = url) -> bool:
            return not any(item["behind"] for item in httpx.get(f"{url}/health/lag", trust_env=False).json()["items"])

        until(heard, f"{service} has heard everything")
        found = httpx.get(f"{url}/parked", headers=told, timeout=10, trust_env=False).json()
        if waiting := {kind: items for kind, items in found.items() if isinstance(items, list) and items}:
            raise Failed(f"{service} has parked {waiting}")
        stack.audit(service)
    say("nothing is parked, everything is heard, every journal is whole")


def release(named: str, folder: Path) -> Path:
    """The files of an older release."""
    archive = subprocess.run(["git", "archive", named], cwd=CHECKOUT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run it; 0 when all went on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="older", required=True, help="a tag or a commit of this repository")
    older = parser.parse_args().older
    with tempfile.TemporaryDirectory(prefix="counterpoint-") as folder:
        data, old = Path(folder, "data"), release(older, Path(folder, "older"))
        with TwoReleases(data, old) as stack:
            try:
                stack.start_servers()
                stack.create_topics()
                stack.start_services()
                stack.wait_ready()
                ended = tell(stack)
                judge(stack)
            except Failed as failed:
                say(f"FAILED {failed}")
                return 1
    say(f"PASSED: the story of {older} ended with {ended['pairs']} pairs and {ended['tables']} tables of figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
