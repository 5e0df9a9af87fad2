"""Runs one process of the matching service."""

from __future__ import annotations

from chassis.running.program import run
from services.matching.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
