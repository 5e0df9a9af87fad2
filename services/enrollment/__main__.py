"""Run one process of enrollment."""

from chassis.running.program import run
from services.enrollment.service import SERVICE

run(SERVICE)
