"""What a service is made of: its contracts, views, tasks, routes and policy, named in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from chassis.receiving.tasks import Tasks
from chassis.receiving.views import StateView, View
from chassis.running.auth import Directory
from chassis.running.retiring import Table
from contracts.catalog import Catalog
from contracts.fact import Fact

Policy = Mapping[str, frozenset[str]]
"""Operation (the handler's name) to the roles that may use it; any one of them is enough."""

ANYONE = "anyone"
"""In a policy: everybody the service recognises in the program."""
FOUNDER = "founder"
"""In a policy: the few subjects that may open programs, from the settings."""
TOKEN = "token"  # noqa: S105 - a word of the policy, not a secret
"""In a policy: whoever has a valid token, recognised or not."""


@dataclass(frozen=True)
class Service:
    """One service. `python -m services.<name>` runs it.

    `keeps` are the state topics it sends. `in_confidence` are the operations that leave no trace of who asked when:
    they have no span, and their facts neither actor nor time. `folds` is the number of its folds: one more with every
    change that gives any document another content, for then all of them must be filled again. `retiring` names the
    operations that callers should leave.
    """

    name: str
    catalog: Catalog
    views: tuple[View[Any], ...]
    states: tuple[StateView[Any], ...]
    tasks: Tasks
    router: APIRouter
    policy: Policy
    directory: Directory
    keeps: tuple[str, ...] = ()
    in_confidence: frozenset[str] = frozenset()
    folds: int = 1
    retiring: Table = field(default_factory=dict)

    def hears(self) -> frozenset[type[Fact]]:
        """Every fact that a view folds or a task is for."""
        return self.tasks.hears.union(*(v.hears for v in self.views))
