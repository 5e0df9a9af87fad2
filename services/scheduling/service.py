"""Scheduling in one place: what it hears, keeps, does and answers."""

from __future__ import annotations

from chassis.running.auth import Directory
from chassis.running.service import Service
from contracts.all import CATALOG
from services.scheduling.api import router
from services.scheduling.policy import POLICY
from services.scheduling.tasks import TASKS
from services.scheduling.views import PROFILES, ROLES, STATES, VIEWS

SERVICE = Service(
    name="scheduling",
    catalog=CATALOG,
    views=VIEWS,
    states=STATES,
    tasks=TASKS,
    router=router,
    policy=POLICY,
    directory=Directory(profiles=PROFILES, roles=ROLES),
    folds=2,
)
