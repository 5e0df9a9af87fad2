"""Two small services with facts of their own: a writer that adds, and a hearer that sums and echoes each addition.

They have no business, so tests and measurements of the chassis say nothing about one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import singledispatch
from types import ModuleType
from typing import Any

from fastapi import APIRouter

from chassis.deciding.decider import Aggregate, Command, On, Refused, State
from chassis.receiving.tasks import Task, Tasks, Work
from chassis.receiving.views import Row, StateView, View
from chassis.running.auth import Directory
from chassis.running.service import Service
from contracts.catalog import Catalog
from contracts.fact import Fact, Value
from contracts.streams import Audience, Category
from contracts.types import ProgramId

TOPIC_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "unclean.leader.election.enable": "false"}


class Add(Command):
    """Add an amount, as many times as told. Zero changes nothing, a negative one is refused."""

    program: str
    amount: int
    times: int = 1


class Total(State):
    """What has been added so far."""

    amount: int = 0


class Sum(Row):
    """What the hearer keeps of each tally."""

    amount: int = 0
    facts: int = 0


class Nobody(Value):
    """A profile without anything in it: nobody calls these services over HTTP."""

    person: str = ""


class TallyServices:
    """The two services under names of their own, so that many can share one Kafka."""

    def __init__(self, name: str, *, echo: bool = True) -> None:
        writer, hearer = name + "w", name + "h"
        self.tally = tally = Category("tally", writer, Audience.public)
        self.echo = heard = Category("echo", hearer, Audience.internal)

        class Added(Fact, of=tally):
            """Something was added."""

            program: ProgramId
            amount: int

        class Echoed(Fact, of=heard):
            """An addition was heard."""

            program: ProgramId
            amount: int

        module = ModuleType("tally")
        for fact in (Added, Echoed):
            fact.__module__ = module.__name__
            setattr(module, fact.__name__, fact)
        self.Added, self.Echoed = Added, Echoed
        self.catalog = Catalog([module])
        self.totals = _aggregate(tally, Added)
        self.echoes = _aggregate(heard, Echoed)
        self.poison: Callable[[int], None] = lambda amount: None
        self.sums = View("sums", tally, Sum, self._fold, frozenset({Added}), ("amount",))
        self.writer = self._service(writer, (), Tasks([]))
        self.hearer = self._service(hearer, (self.sums,), Tasks([Task("echo_it", Added, self._echo)] if echo else []))
        self.topics = [f"counterpoint.{s}.{kind}" for s in (writer, hearer) for kind in ("events", "internal")]

    def _fold(self, row: Sum, fact: Any, at: datetime) -> Sum:
        self.poison(fact.amount)
        return Sum(amount=row.amount + fact.amount, facts=row.facts + 1)

    async def _echo(self, fact: Any, work: Work) -> None:
        thing = work.event.rpartition("/")[2].partition("@")[0]
        add = Add(program=fact.program, amount=fact.amount)
        await work.run(On(self.echoes, self.echoes.stream(work.scope, thing), add))

    def _service(self, name: str, views: tuple[View[Any], ...], tasks: Tasks) -> Service:
        profiles = StateView("profiles", f"counterpoint.{name}.profiles", Nobody)
        directory = Directory(profiles, View("roles", self.tally, Sum, self._fold, frozenset()))
        return Service(name, self.catalog, views, (), tasks, APIRouter(), {}, directory)


def _aggregate(category: Category, fact: type[Any]) -> Aggregate[Total]:
    @singledispatch
    def decide(command: Command, state: Total, now: datetime) -> list[Fact]:
        raise TypeError(command)

    @decide.register
    def _(command: Add, state: Total, now: datetime) -> list[Fact]:
        if command.amount < 0:
            raise Refused("negative", "only positive amounts can be added")
        facts = [fact(program=command.program, amount=command.amount) for _ in range(command.times)]
        return facts if command.amount else []

    def evolve(state: Total, said: Any) -> Total:
        return Total(amount=state.amount + said.amount)

    return Aggregate(category, Total(), decide, evolve)
