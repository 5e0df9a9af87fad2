"""What insights does on hearing a fact: nothing but remember it. Figures are published when a coordinator says so."""

from __future__ import annotations

from chassis.receiving.tasks import Tasks

TASKS = Tasks([])
