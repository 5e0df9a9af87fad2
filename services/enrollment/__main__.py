"""Run one process of enrollment."""

from chassis.running.runtime import run
from services.enrollment.service import SERVICE

run(SERVICE)
