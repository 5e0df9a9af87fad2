"""What insights is made of."""

from __future__ import annotations

from chassis.running.auth import Directory
from chassis.running.service import Service
from contracts.all import CATALOG
from services.insights.api import router
from services.insights.policy import POLICY
from services.insights.tasks import TASKS
from services.insights.views import PROFILES, ROLES, STATES, VIEWS

SERVICE = Service(
    name="insights",
    catalog=CATALOG,
    views=VIEWS,
    states=STATES,
    tasks=TASKS,
    router=router,
    policy=POLICY,
    directory=Directory(profiles=PROFILES, roles=ROLES),
    in_confidence=frozenset({"give_pulse", "raise_insight"}),
    folds=4,
)
