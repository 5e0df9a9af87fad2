"""Runs the outlet: `python -m outlet`."""

from outlet.program import run

run()
