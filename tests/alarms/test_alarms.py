"""Each alert's fault is really brought about, its figures cross the line, it comes; what its page says ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from chassis.deciding.commands import Origin, command_id, random_id
from chassis.deciding.decider import On
from chassis.running.runtime import Runtime
from chassis.running.settings import Settings
from contracts.insights import ErasureConfirmedByInsights
from contracts.matching import ErasureConfirmedByMatching
from contracts.scheduling import ErasureConfirmedByScheduling
from contracts.streams import ORG
from local import clock
from local.mongod import REPLICA_SET
from local.topics import PARTITIONS, create_topics
from services.enrollment.erasure import ERASURE, RequestErasure
from services.enrollment.service import SERVICE as ENROLLMENT
from tests.alarms.judge import Phase, judge
from tests.alarms.receiver import Receiver, Sample, Series
from tests.alarms.served import FAILS, FOLDED_BADLY, HANGS
from tests.alarms.stage import TRACE, Stage
from tests.chaos.proxy import Harm, Link
from tests.deploy.test_alerts import alerts
from tests.infrastructure import Infra
from tests.integration.kit import World, until

pytestmark = [pytest.mark.integration, pytest.mark.guarantee("running")]

CONFIRMED = (ErasureConfirmedByMatching, ErasureConfirmedByScheduling, ErasureConfirmedByInsights)
PATIENCE = 15.0
"""Seconds in which a request is answered: what is well must not fail on a machine that is busy."""
HELD = (10, 60, 440)
"""Minutes for which each phase is said to go on: the longest window of an alert that shall have ended is six hours."""


@dataclass
class Lived:
    """What was recorded while all was well, while it was not, and once it was mended."""

    writer: str
    hearer: str
    phases: list[Phase]
    exemplars: set[str]
    trouble: AssertionError | None = None

    def expected(self) -> set[tuple[str, str]]:
        """The alerts that the faults must bring."""
        of_writer = ("NotPublishing", "NobodyPublishes", "Silent", "Waits", "Refusing", "BurnsBudgetFast")
        of_hearer = ("Behind", "Parked", "Gap", "TasksLate", "TaskRunsLong", "Silent")
        return {
            *((alert, self.writer) for alert in (*of_writer, "BurnsBudgetSlowly")),
            *((alert, self.hearer) for alert in of_hearer),
            ("ErasureOverdue", "enrollment"),
        }


class Drama:
    """The three acts. A clock that travels saves the hours; lag, which is Kafka's time, is really waited for."""

    def __init__(self, stage: Stage, link: Link, enrollment: Settings, folder: Path) -> None:
        self.stage, self.link, self.enrollment = stage, link, enrollment
        self.writer, self.hearer = stage.world.writer.name, stage.world.hearer.name
        self.soon, self.late = folder / "soon.json", folder / "late.json"
        self.person = random_id("pe")

    def begin(self) -> None:
        self.stage.tally("writer.api", "api", clock_file=self.soon, answer_seconds=PATIENCE)
        self.stage.tally("writer.relay", "relay", clock_file=self.soon)
        patient = {"clock_file": self.soon, "answer_seconds": PATIENCE}
        self.stage.tally("writer.second", "api", **patient, **self._through_the_link())
        for role in ("api", "relay", "worker", "solver"):
            self.stage.tally(f"hearer.{role}", role, clock_file=self.soon)
        self.stage.start("enrollment", "services.enrollment", self.enrollment)

    def _through_the_link(self) -> dict[str, str]:
        uri = self.stage.world.settings(self.stage.world.writer).mongo_uri
        head, _, tail = uri.partition("@")
        _, _, path = tail.partition("/")
        path = path.replace(f"replicaSet={REPLICA_SET}", "directConnection=true")
        return {"mongo_uri": f"{head}@127.0.0.1:{self.link.port}/{path}"}

    async def well(self) -> None:
        await self.stage.ready()
        for by in ("writer.api", "writer.second"):
            assert set(await self.stage.add("well", 1, 10, by)) == {200}
        await self.stage.seen("counterpoint_tasks_late_seconds", -1, self.hearer)
        await self.stage.gone("counterpoint_process_waiting")

    async def ill(self) -> None:
        stage, world = self.stage, self.stage.world
        for thing, amount in (("badly", FOLDED_BADLY), ("fails", FAILS), ("hangs", HANGS)):
            assert await stage.add(thing, amount) == [200]
        await stage.send(world.Added(program=world.program, amount=1), world.totals.stream(world.program, "gap"), 2)
        await self._ask_to_erase()
        await stage.seen("counterpoint_tasks_running_done", 0, self.hearer)
        await stage.seen("counterpoint_parked", 0, self.hearer, counterpoint_reason="failed")
        await stage.seen("counterpoint_parked", 0, self.hearer, counterpoint_reason="gap")
        stage.kill("hearer.worker")
        assert await stage.add("behind", 1) == [200]
        await stage.seen("counterpoint_inbox_behind", 0, self.hearer)
        stage.kill("writer.relay")
        assert await stage.add("pending", 1) == [200]
        await stage.seen("counterpoint_relay_pending", 0, self.writer)
        self.link.do(Harm.refuse, Random(1))
        failing = asyncio.create_task(stage.add("failing", 1, 12, "writer.second"))
        assert set(await stage.add("refused", -1, 30)) == {409}
        clock.advance(self.soon, timedelta(minutes=40))
        clock.advance(self.late, timedelta(days=32))
        await stage.seen("counterpoint_inbox_lag_seconds", 30, self.hearer)
        await stage.seen("counterpoint_relay_pending_age_seconds", 60, self.writer)
        await stage.seen("counterpoint_tasks_late_seconds", 300, self.hearer)
        await stage.seen("counterpoint_parked", 0, "enrollment", counterpoint_task="watch_erasure")
        assert set(await failing) == {503}

    async def _ask_to_erase(self) -> None:
        asking = Runtime(ENROLLMENT, self.enrollment)
        try:
            origin = Origin(command_id("erase", self.person), "d", correlation="test")
            request = RequestErasure(person=self.person, programs=())
            await asking.commands.run(origin, On(ERASURE, ERASURE.stream(ORG, self.person), request))
        finally:
            await asking.database.close()

    async def mend(self) -> None:
        """What the pages say."""
        stage, world = self.stage, self.stage.world
        stage.mended.touch()
        self.link.heal()
        stage.tally("writer.relay", "relay", clock_file=self.soon)
        stage.tally("hearer.worker", "worker", clock_file=self.soon)
        stage.kill("hearer.solver")
        stage.tally("hearer.solver", "solver", clock_file=self.soon)
        for fact in CONFIRMED:
            await stage.send(fact(person=self.person, items=1), fact.category.stream(ORG, self.person), 1)
        await stage.send(world.Added(program=world.program, amount=1), world.totals.stream(world.program, "gap"), 1)
        await stage.ready()
        clock.advance(self.soon, timedelta(minutes=2))  # the next try of a task that failed often is minutes away
        await self._erased()
        for name in ("hearer.worker", "enrollment"):
            assert set(await stage.post(name, ["/parked/retry/all"])) == {200}

    async def _erased(self) -> None:
        looking = Runtime(ENROLLMENT, self.enrollment)

        async def proven() -> bool:
            erasure, _ = await looking.commands.read(ERASURE, ERASURE.stream(ORG, self.person))
            return bool(erasure.proof)

        try:
            await until(proven, 120)
        finally:
            await looking.database.close()

    async def over(self) -> None:
        for by in ("writer.api", "writer.second"):
            assert set(await self.stage.add("well", 1, 10, by)) == {200}
        await self.stage.gone(
            "counterpoint_parked",
            "counterpoint_tasks_due",
            "counterpoint_process_waiting",
            "counterpoint_relay_pending",
            "counterpoint_inbox_behind",
        )


@pytest.fixture(scope="module")
async def lived(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lived]:
    folder = tmp_path_factory.mktemp("alarms")
    world = World(infra, folder)
    create_topics(infra.kafka)
    database = infra.database()
    told = {"mongo_uri": database.uri, "mongo_database": database.name, "clock_file": folder / "late.json"}
    enrollment = world.settings(world.writer).model_copy(update={**told, "partitions": PARTITIONS})
    link = Link(int(world.settings(world.writer).mongo_uri.partition("@")[2].partition(":")[2].partition("/")[0]))
    await link.open()
    with Receiver() as receiver:
        stage = Stage(world, receiver, folder / "mended")
        drama = Drama(stage, link, enrollment, folder)
        recorded: list[dict[Series, Sample]] = [{}]
        trouble = None
        try:
            drama.begin()
            await drama.well()
            recorded.append(await stage.recorded())
            await drama.ill()
            recorded.append(await stage.recorded())
            await drama.mend()
            await drama.over()
            recorded.append(await stage.recorded())
        except AssertionError as error:
            trouble = error  # told by the test
        finally:
            stage.stop()
            await asyncio.shield(link.close())
    recorded += [{}] * (len(HELD) + 1 - len(recorded))
    phases = [Phase(minutes, recorded[n], recorded[n + 1]) for n, minutes in enumerate(HELD)]
    yield Lived(world.writer.name, world.hearer.name, phases, receiver.exemplars, trouble)


def test_faults_bring_their_alerts_and_no_others_and_what_the_pages_say_ends_them(lived: Lived, tmp_path: Path) -> None:
    if lived.trouble:
        raise lived.trouble
    judge(lived.phases, [set(), lived.expected(), set()], tmp_path)


def test_exemplars_lead_from_figures_to_the_trace_that_they_are_of(lived: Lived) -> None:
    assert TRACE in lived.exemplars


def test_no_alert_is_left_out(lived: Lived) -> None:
    assert {f"Counterpoint{alert}" for alert, _ in lived.expected()} == {alert["alert"] for alert in alerts()}
