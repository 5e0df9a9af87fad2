"""Two releases of the tally services: the newer one says an addition in hundredths, which the older one cannot read."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from types import ModuleType
from typing import Any

from chassis.deciding.decider import Aggregate, Command, On
from chassis.receiving.tasks import Task, Tasks, Work
from chassis.receiving.views import View
from chassis.testing.tally import Add, Sum, Total
from contracts.catalog import Catalog, Upcast
from contracts.fact import Fact
from contracts.types import ProgramId
from tests.integration.kit import World


def in_hundredths(fields: dict[str, Any]) -> dict[str, Any]:
    """From the first version to the second."""
    return fields | {"amount": fields["amount"] * 100}


class Newer(World):
    """The release after it: the same services, databases and topics. Guessing its facts would be off by a hundred."""

    def __init__(self, older: World, upcast: Upcast = in_hundredths) -> None:
        vars(self).update(vars(older))

        class Added(Fact, of=older.tally, v=2):
            """Something was added, in hundredths."""

            program: ProgramId
            amount: int

        module = ModuleType("tally")
        for fact in (Added, older.Echoed):
            fact.__module__ = module.__name__
            setattr(module, fact.__name__, fact)
        self.catalog = Catalog([module], {("Added", 1): upcast})
        self.totals = _totals(older, Added)
        self.sums = View("sums", older.tally, Sum, self._fold, frozenset({Added}), ("amount",))
        self.writer = self._service(older.writer.name, (), Tasks([]))
        self.hearer = self._service(older.hearer.name, (self.sums,), Tasks([Task("echo_it", Added, self._echo)]))

    def _fold(self, row: Sum, fact: Any, at: datetime) -> Sum:
        return Sum(amount=row.amount + fact.amount // 100, facts=row.facts + 1)

    async def _echo(self, fact: Any, work: Work) -> None:
        thing = work.event.rpartition("/")[2].partition("@")[0]
        add = Add(program=fact.program, amount=fact.amount // 100)
        await work.run(On(self.echoes, self.echoes.stream(work.scope, thing), add))


def _totals(older: World, added: type[Any]) -> Aggregate[Total]:
    @singledispatch
    def decide(command: Command, state: Total, now: datetime) -> list[Fact]:
        raise TypeError(command)

    @decide.register
    def _(command: Add, state: Total, now: datetime) -> list[Fact]:
        return [added(program=command.program, amount=command.amount * 100)]

    def evolve(state: Total, said: Any) -> Total:
        return Total(amount=state.amount + said.amount // 100)

    return Aggregate(older.tally, Total(), decide, evolve)
