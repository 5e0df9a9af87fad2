"""Runs insights: `python -m services.insights`."""

from chassis.running.program import run
from services.insights.service import SERVICE

run(SERVICE)
