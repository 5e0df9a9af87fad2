"""Enrollment in one place: its contracts, views, routes and policy."""

from chassis.receiving.tasks import Tasks
from chassis.running.service import Service
from contracts.all import CATALOG
from contracts.profiles import PEOPLE, PROFILES, REFERENCE
from services.enrollment import erasing, pausing
from services.enrollment.api import router
from services.enrollment.policy import POLICY
from services.enrollment.views import DIRECTORY, STATES, VIEWS

SERVICE = Service(
    name="enrollment",
    catalog=CATALOG,
    views=VIEWS,
    states=STATES,
    tasks=Tasks([*erasing.TASKS, *pausing.TASKS]),
    router=router,
    policy=POLICY,
    directory=DIRECTORY,
    keeps=(PEOPLE, PROFILES, REFERENCE),
    folds=2,
)
