"""Pods as the manifests have them, run by the container engine of this machine: what of a pod an engine can enforce."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deploy.manifests import Object, container, environment, pod, title

NOBODY = "65534"
# What a container finds out about itself; run by its own Python.
_PROBE = """
import json, os, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def refuses(path):
    try:
        open(path, "w").close()
    except OSError:
        return True
    return False
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "rights": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no new privileges": status["NoNewPrivs"].strip() == "1",
    "filtered system calls": status["Seccomp"].strip() == "2",
    "can be written": [path for path in sys.argv[1:] if not refuses(path + "/x")],
}))
"""


class Failed(Exception):
    """A container, or the engine, did not do what it should."""


@dataclass
class Engine:
    """Docker or Podman. Containers of one of these have names that begin with `prefix`."""

    program: str
    prefix: str
    running: list[str] = field(default_factory=list)

    def __call__(self, *arguments: str, seconds: float = 600) -> str:
        """Run a command of the engine and answer what it printed."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            end = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise Failed(f"{self.program} {' '.join(arguments[:3])} … ended with {done.returncode}:\n{end}")
        return done.stdout

    def start(
        self, workload: Object, objects: list[Object], files: Mapping[str, Mapping[str, str]], **more: str
    ) -> str:
        """Start one pod of a workload; answers its name. `files` has what its secrets and ConfigMaps hold, by their
        names; `more` are environment variables that are otherwise here. It shares the machine's network."""
        name = f"{self.prefix}-{workload['metadata']['name']}"
        inside, told = container(workload), environment(workload, objects) | more
        flags = [*_confined(workload), *(f"--env={key}={value}" for key, value in told.items())]
        mounts = {mount["name"]: mount["mountPath"] for mount in inside["volumeMounts"]}
        for volume in pod(workload)["volumes"]:
            path = mounts[volume["name"]]
            if "emptyDir" in volume:
                flags.append(
                    f"--tmpfs={path}:size={volume['emptyDir']['sizeLimit'].removesuffix('i').lower()},mode=1777"
                )
            else:
                flags.append(f"--volume={_folder(name, volume, files)}:{path}:ro")
        self.running.append(name)
        self("run", "--detach", f"--name={name}", "--network=host", *flags, inside["image"], *inside.get("command", ()))
        return name

    def ends(self, name: str, seconds: float) -> int:
        """Wait for the end of a container; answers its exit code."""
        return int(self("wait", name, seconds=seconds).split()[-1])

    def stop(self, name: str, seconds: int) -> tuple[float, int]:
        """Ask a container to end, as a kubelet does; answers how long it took, and its exit code."""
        began = time.monotonic()
        self("stop", f"--time={seconds}", name)
        return time.monotonic() - began, self.ends(name, 10)

    def probe(self, name: str, *paths: str) -> dict[str, Any]:
        """What a container finds out about itself; `paths` are folders that it should not be able to write to."""
        found: dict[str, Any] = json.loads(self("exec", name, "python", "-c", _PROBE, *paths))
        return found

    def remove(self) -> None:
        """Take away all that was started."""
        for name in self.running:
            subprocess.run([self.program, "rm", "--force", "--volumes", name], capture_output=True, check=False)

    def tail(self, name: str) -> str:
        """The end of what a container wrote."""
        done = subprocess.run([self.program, "logs", "--tail=15", name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def engine(prefix: str) -> Engine | None:
    """The engine that answers on this machine, if one does."""
    for program in ("docker", "podman"):
        if shutil.which(program) and not subprocess.run([program, "info"], capture_output=True, check=False).returncode:
            return Engine(program, prefix)
    return None


def _confined(workload: Object) -> list[str]:
    """What a pod's security context and resources are to an engine. Fails on what is not translated."""
    own, inside = pod(workload)["securityContext"], container(workload)
    if own["seccompProfile"] != {"type": "RuntimeDefault"} or inside["securityContext"]["capabilities"] != {
        "drop": ["ALL"]
    }:
        raise Failed(f"{title(workload)} asks for other rights than these tests know")
    flags = [f"--user={own['runAsUser']}:{own['runAsGroup']}", f"--group-add={own['fsGroup']}", "--cap-drop=ALL"]
    if not inside["securityContext"]["allowPrivilegeEscalation"]:
        flags.append("--security-opt=no-new-privileges")
    if inside["securityContext"]["readOnlyRootFilesystem"]:
        flags.append("--read-only")
    return [*flags, f"--memory={inside['resources']['limits']['memory'].removesuffix('i').lower()}"]


def _folder(name: str, volume: Object, files: Mapping[str, Mapping[str, str]]) -> Path:
    """A folder with the files of a volume."""
    sources = volume.get("projected", {}).get("sources", [volume])
    names = []
    for each in sources:
        kind = each.get("secret") or each["configMap"]
        names.append(kind.get("secretName") or kind["name"])
    folder = Path(files["folder"]["path"]) / name / volume["name"]
    folder.mkdir(parents=True)
    for held in names:
        for file, text in files[held].items():
            (folder / file).write_text(text)
            (folder / file).chmod(0o444)
    return folder
