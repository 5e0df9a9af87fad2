"""Run one process of scheduling: `python -m services.scheduling`."""

from chassis.running.program import run
from services.scheduling.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
