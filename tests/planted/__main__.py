"""Plants one fault after another and demands that the tests which claim to find it fail: `make revert-tests`."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from tests.planted import Fault, faults


def unmoved(fault: Fault) -> list[str]:
    """The tests that do not fail although the fault is planted; a test that cannot be run does not count as failed."""
    run = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "--tb=no", "--plant", fault.name]
    answer = subprocess.run([*run, *fault.found_by], capture_output=True, text=True, timeout=900)
    failed = re.findall(r"^FAILED (\S+)", answer.stdout, re.MULTILINE)
    left = [test for test in fault.found_by if not any(f == test or f.startswith(f"{test}[") for f in failed)]
    if left:
        sys.stdout.write(answer.stdout[-3000:] + answer.stderr[-2000:])
    return left


def main(names: list[str]) -> int:
    """0 where every fault is found by each of its tests, or by name: only these."""
    known = faults()
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"no such fault: {', '.join(unknown)}; there are: {', '.join(known)}\n")
        return 2
    missed = 0
    for fault in [known[name] for name in names] or known.values():
        began = time.monotonic()
        left = unmoved(fault)
        missed += bool(left)
        said = f"NOT FOUND by {', '.join(left)}" if left else f"found by {len(fault.found_by)}"
        sys.stdout.write(f"{fault.row:4} {fault.name:45} {said} ({time.monotonic() - began:.0f} s)\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(names or known) - missed} of {len(names or known)} faults are found\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
