"""The matching service: what it hears, does and answers, in one place."""

from __future__ import annotations

from chassis.running.service import Service
from contracts.all import CATALOG
from services.matching.api import router
from services.matching.policy import POLICY
from services.matching.tasks import TASKS
from services.matching.views import DIRECTORY, STATES, VIEWS

SERVICE = Service(
    name="matching",
    catalog=CATALOG,
    views=VIEWS,
    states=STATES,
    tasks=TASKS,
    router=router,
    policy=POLICY,
    directory=DIRECTORY,
    folds=4,
)
