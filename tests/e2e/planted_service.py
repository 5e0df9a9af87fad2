"""Runs a service with the fault of this test run in it: `python -m tests.e2e.planted_service services.<name>`."""

import runpy
import sys

from tests.planted import plant_from_environment

if __name__ == "__main__":
    if "--prepare" not in sys.argv:
        plant_from_environment()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
