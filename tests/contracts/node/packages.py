"""Installs the npm packages that the lock beside this file names, once, below .local; skips loudly where npm cannot."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECONDS = 300
BROKEN = ("EINTEGRITY", "EUSAGE", "ELOCKVERIFY")
"""What npm says where lock and packages do not fit: that is a fault of ours, and no reason to skip."""


def installed(folder: Path) -> Path:
    """A copy of `folder` with its locked packages installed beside its programs."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip(f"NOT CHECKED: {folder.relative_to(ROOT)} needs node and npm, and they are not on the PATH")
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".py"]
    locked = b"".join(path.read_bytes() for path in files if path.suffix == ".json" or path.name == ".npmrc")
    place = ROOT / ".local" / "node" / hashlib.sha256(locked).hexdigest()[:16]
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:  # test processes side by side install it once
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in files:
            shutil.copy(path, place)
        if not (place / "installed").exists():
            _install(folder, place)
            (place / "installed").touch()
    return place


def _install(folder: Path, place: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"NOT CHECKED: npm did not fetch the packages of {folder.relative_to(ROOT)} in {SECONDS} s")
    if done.returncode:
        assert not any(code in done.stderr for code in BROKEN), done.stderr
        last = done.stderr.strip().splitlines()[-1:]
        pytest.skip(f"NOT CHECKED: npm cannot fetch the packages of {folder.relative_to(ROOT)}: {''.join(last)}")


def node(place: Path, program: str, *arguments: str | Path, seconds: float = 120) -> str:
    """What a program of the folder prints. Fails with what it says where it fails."""
    command = ["node", str(place / program), *map(str, arguments)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
