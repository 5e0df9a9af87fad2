"""Every route has a row in its service's policy, and every row a route; each role that is named exists."""

from __future__ import annotations

from importlib import import_module

import pytest
from fastapi.routing import APIRoute

from chassis.running.http import context
from chassis.running.service import ANYONE, FOUNDER, TOKEN, Service
from contracts.enrollment import Role
from contracts.types import Side

SERVICES = ("enrollment", "matching", "scheduling", "insights")
KNOWN = {ANYONE, FOUNDER, TOKEN, *(r.value for r in Role), *(s.value for s in Side)} - {"unknown"}


def service(name: str) -> Service:
    made: Service = import_module(f"services.{name}.service").SERVICE
    return made


def routes(name: str) -> list[APIRoute]:
    return [r for r in service(name).router.routes if isinstance(r, APIRoute)]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("name", SERVICES)
def test_every_route_has_a_policy_and_every_policy_a_route(name: str) -> None:
    operations = [r.name for r in routes(name)]
    assert len(operations) == len(set(operations)), "two routes have one name"
    assert set(operations) == set(service(name).policy)
    assert all(service(name).policy[o] for o in operations), "an empty row lets nobody in"


@pytest.mark.parametrize("name", SERVICES)
def test_a_policy_names_only_roles_that_exist(name: str) -> None:
    assert set().union(*service(name).policy.values()) <= KNOWN


@pytest.mark.parametrize("name", SERVICES)
def test_only_routes_that_exist_are_being_retired(name: str) -> None:
    assert service(name).retiring.keys() <= {r.name for r in routes(name)}


@pytest.mark.parametrize("name", SERVICES)
def test_no_route_answers_without_knowing_the_caller(name: str) -> None:
    for route in routes(name):
        calls = [d.call for d in route.dependant.dependencies]
        assert context in calls, f"{route.name} does not ask who is calling"


@pytest.mark.parametrize("name", SERVICES)
def test_every_program_route_has_the_program_as_its_scope(name: str) -> None:
    for route in routes(name):
        assert route.path.startswith("/programs"), route.path
