"""What insights does on hearing a fact: it remembers, or erases. Figures are published when a coordinator says so."""

from __future__ import annotations

from chassis.receiving.tasks import Task, Tasks
from contracts.enrollment import ErasureRequested
from services.insights.erasure import erase

TASKS = Tasks([Task("erase", ErasureRequested, erase)])
