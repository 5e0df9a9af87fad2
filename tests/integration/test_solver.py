"""Rounds on a real MongoDB and a real Kafka, solved by a process of its own: killed, asleep, one of two, cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chassis.deciding.commands import Origin, command_id, random_id
from chassis.deciding.decider import On
from chassis.running.runtime import Runtime
from chassis.running.settings import Role, Settings
from contracts.enrollment import Objective
from contracts.matching import RoundKind, Verdict
from local import clock
from local.environment import key_file
from local.processes import free_ports
from local.tokens import AUDIENCE, ISSUER, jwks_file
from local.topics import PARTITIONS, create_topics
from services.matching import keeping, solving
from services.matching.claim import progress, void
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.freezing import INPUT
from services.matching.keeping import puts, whole
from services.matching.placing import Placement, Stopped, check
from services.matching.proposal import PROPOSAL, Proposal, ReviewProposal
from services.matching.round import ROUND, AbandonRound, OpenRound, Round
from services.matching.service import SERVICE
from services.matching.solver import VERSION
from services.matching.views import PROPOSALS
from tests.infrastructure import Database, Infra
from tests.integration.kit import until
from tests.integration.solver import FOLDER
from tests.spec.matching.people import candidate, cohort

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
PEOPLE = 20


class Rounds:
    """Matching without callers: rounds are opened and looked at where its own commands are run."""

    def __init__(self, kafka: str, database: Database, folder: Path) -> None:
        self.kafka, self.database, self.folder = kafka, database, folder
        self.program = random_id("pr")
        clock.advance(folder / "clock.json", timedelta())

    def told(self, role: Role) -> dict[str, Any]:
        """The settings of a process."""
        return {
            "role": role.value,
            "environment": "local",
            "kafka_bootstrap": self.kafka,
            "mongo_uri": self.database.uri,
            "mongo_database": self.database.name,
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks": str(jwks_file(self.folder)),
            "subject_key_file": str(key_file(self.folder, "subject")),
            "content_key_file": str(key_file(self.folder, "content")),
            "clock_file": str(self.folder / "clock.json"),
            "partitions": PARTITIONS,
        }

    @asynccontextmanager
    async def running(self, role: Role) -> AsyncIterator[Runtime]:
        """A process of this test's own, ready."""
        runtime = Runtime(SERVICE, Settings(**self.told(role)))
        runtime.start()
        try:
            await until(lambda: not runtime.waiting_for(), 60)
            yield runtime
        finally:
            await runtime.stop()

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """A solver that is a process of its own, and stops in the middle until it is told to go on."""
        told = {f"COUNTERPOINT_{k.upper()}": str(v) for k, v in self.told(Role.solver).items()}
        more = {FOLDER: str(self.folder), "COUNTERPOINT_HTTP_PORT": str(free_ports(1)[0])}
        command = (sys.executable, "-m", "tests.integration.solver")
        with (self.folder / "solver.log").open("wb") as log:
            env = os.environ | told | more
            child = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT, stderr=log)
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()

    def wrote(self, name: str) -> bool:
        """Whether the slow solver has come so far."""
        return (self.folder / name).exists()

    async def open(self, main: Runtime, people: int = PEOPLE) -> str:
        """Open a round of so many on each side; answers its id."""
        round = random_id("ro")
        frozen = cohort(
            [candidate(f"mentor{n}", 1) for n in range(people)],
            [candidate(f"executive{n}", 5) for n in range(people)],
        ).model_copy(update={"program": self.program})
        command = OpenRound(
            program=self.program,
            round=round,
            kind=RoundKind.cohort,
            rules_version=1,
            objective=Objective.most_people,
            mentors=people,
            executives=people,
            input=frozen.digest(),
            solver=VERSION,
        )
        kept = await puts(main, INPUT, self.program, round, frozen.model_dump(mode="json"))
        await run(main, On(ROUND, ROUND.stream(self.program, round), command), *kept)
        return round

    async def abandon(self, main: Runtime, round: str) -> None:
        on = On(ROUND, ROUND.stream(self.program, round), AbandonRound())
        await run(main, on, void(main, self.program, round))

    async def state(self, main: Runtime, round: str) -> Round:
        return (await main.commands.read(ROUND, ROUND.stream(self.program, round)))[0]

    async def solved(self, main: Runtime, round: str) -> Round:
        """Wait until the round has a result and nobody works on it."""

        async def done() -> Round | None:
            state = await self.state(main, round)
            return state if state.state == "solved" and not await self.tasks(main) else None

        found: Round = await until(done, 60)
        return found

    async def tasks(self, main: Runtime) -> list[dict[str, Any]]:
        return [row async for row in main.database.collection("tasks").find({})]

    async def proposals(self, main: Runtime) -> dict[str, Proposal]:
        return dict(await main.commands.scan(PROPOSAL, self.program))

    async def pages(self, main: Runtime, round: str) -> int:
        """How many proposals the pages of every order have: each the same ones, in their order."""
        read = main.inbox.reader
        await until(lambda: self._listed(main, round), 60)
        names = {f.stream for f in await read.find(PROPOSALS, self.program, {"round": round})}
        for by, down in (("score", False), ("score", True), ("mentor", False), ("executive", True)):
            found: list[Any] = []
            while True:
                after = (getattr(found[-1].row, by), found[-1].stream) if found else None
                page = await read.sorted(PROPOSALS, self.program, {"round": round}, by, limit=7, down=down, after=after)
                if not page:
                    break
                found += page
            keys = [(getattr(f.row, by), f.stream) for f in found]
            assert (
                keys == sorted(keys, reverse=down) and {f.stream for f in found} == names and len(found) == len(names)
            )
        return len(names)

    async def _listed(self, main: Runtime, round: str) -> bool:
        return len(await main.inbox.reader.find(PROPOSALS, self.program, {"round": round})) == PEOPLE

    async def facts(self, main: Runtime) -> Counter[str]:
        """How often each kind of fact was said in the program."""
        which = {"stream": {"$regex": f"^{self.program}/"}}
        commits = await main.database.collection("journal").find(which).to_list(None)
        return Counter(event["type"] for commit in commits for event in commit["events"])

    async def proven(self, main: Runtime, round: str) -> list[str]:
        """What is wrong with the kept result."""
        frozen, result = [await whole(main, kind, self.program, round) for kind in (INPUT, RESULT)]
        return check(Cohort.model_validate(frozen), Placement.model_validate(result))


async def run(runtime: Runtime, on: On, *also: Any) -> None:
    await runtime.run(Origin(command_id(random_id("co")), "test", correlation="test"), on, also=also)


@pytest.fixture(scope="module")
def database(infra: Infra) -> Database:
    """One for all of these tests: the topics of matching are, and its journal has to know what they have."""
    create_topics(infra.kafka)
    return infra.database()


@pytest.fixture
def rounds(infra: Infra, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rounds:
    monkeypatch.setattr(keeping, "ROWS", 8)  # so that what is kept of a few people is in parts, as of very many
    return Rounds(infra.kafka, database, tmp_path)


@pytest.mark.guarantee("running")
async def test_a_killed_solver_is_replaced_and_everything_is_written_once(rounds: Rounds) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        main, child = await enter(rounds.running(Role.main)), await enter(rounds.slow())
        round = await rounds.open(main)
        await until(lambda: rounds.wrote("begun"), 60)

        async def at_it() -> bool:
            return (await progress(main, rounds.program, round, main.clock.now()) or {}).get("phase") == "solving"

        await until(at_it, 60)  # it begins to compute before it has told so
        assert (await rounds.state(main, round)).state == "opened", "only a solver solves"
        child.kill()
        await child.wait()
        await enter(rounds.running(Role.solver))
        state = await rounds.solved(main, round)
        assert await rounds.pages(main, round) == PEOPLE
        assert (state.proposed, state.optimal) == (PEOPLE, True) and await rounds.proven(main, round) == []
        assert await rounds.facts(main) == {"RoundOpened": 1, "RoundSolved": 1, "PairProposed": PEOPLE}


@pytest.mark.guarantee("running")
async def test_a_solver_that_slept_while_another_took_its_round_over_writes_nothing(rounds: Rounds) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        main, child = await enter(rounds.running(Role.main)), await enter(rounds.slow())
        round = await rounds.open(main)
        await until(lambda: rounds.wrote("begun"), 60)
        child.send_signal(signal.SIGSTOP)
        await enter(rounds.running(Role.solver))
        await rounds.solved(main, round)
        some, *others = (await rounds.proposals(main)).items()
        # What the sleeper would write now: a pair that the coordinator has turned down.
        await run(main, On(PROPOSAL, some[0], ReviewProposal(verdict=Verdict.rejected)))
        await rounds.abandon(main, round)
        await until(lambda: _closed(rounds, main, len(others)), 60)
        before = await rounds.facts(main)
        (rounds.folder / "go").touch()
        child.send_signal(signal.SIGCONT)
        await until(lambda: rounds.wrote("given up"), 60)
        assert await rounds.facts(main) == before and before["RoundAbandoned"] == 1
        assert await progress(main, rounds.program, round, main.clock.now()) is None


async def _closed(rounds: Rounds, main: Runtime, count: int) -> bool:
    return sum(p.state == "declined" for p in (await rounds.proposals(main)).values()) >= count


async def test_an_abandoned_round_is_not_solved_any_further(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[float] = []

    def endless(*arguments: Any, heard: Any) -> Placement:
        try:
            for n in range(10**6):
                heard("solving", n)
                time.sleep(0.01)
        except Stopped:
            stopped.append(time.monotonic())
            raise
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(solving, "place", endless)
    async with rounds.running(Role.main) as main, rounds.running(Role.solver):
        round = await rounds.open(main)

        async def far() -> bool:
            told = await progress(main, rounds.program, round, main.clock.now())
            return bool(told and told["done"] > 5)

        await until(far, 60)
        await rounds.abandon(main, round)
        await until(lambda: stopped, 60)
        await until(lambda: _idle(rounds, main), 60)
        assert await rounds.facts(main) == {"RoundOpened": 1, "RoundAbandoned": 1}


async def _idle(rounds: Rounds, main: Runtime) -> bool:
    return not await rounds.tasks(main)


async def test_two_solvers_bring_a_round_up_to_date_once_however_many_pairs_are_turned_down(rounds: Rounds) -> None:
    async with rounds.running(Role.main) as main, rounds.running(Role.solver), rounds.running(Role.solver):
        round = await rounds.open(main)
        first = await rounds.solved(main, round)
        reject = ReviewProposal(verdict=Verdict.rejected)
        streams = sorted(await rounds.proposals(main))[:5]
        await asyncio.gather(*(run(main, On(PROPOSAL, stream, reject)) for stream in streams))

        async def again() -> bool:
            living = [p for p in (await rounds.proposals(main)).values() if p.verdict is None]
            return len(living) == PEOPLE and not await rounds.tasks(main)

        await until(again, 60)
        state = await rounds.solved(main, round)
        assert state.certificate != first.certificate and state.proposed == PEOPLE
        assert await rounds.proven(main, round) == []
        facts = await rounds.facts(main)
        assert facts["PairProposed"] == PEOPLE + 5 and 2 <= facts["RoundSolved"] <= 6 and not facts["PairDeclined"]
