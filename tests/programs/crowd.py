"""A program with many mentors, a few executives whom all of them want, and callers who do not wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from chassis.deciding.commands import Origin, command_id, random_id
from chassis.deciding.decider import Command, On
from contracts.matching import Verdict
from contracts.types import Side
from local.story.cast import Cast, Member
from local.story.program import PROGRAM
from local.story.state import Silence, Story
from local.story.web import Json, Web, check, together
from services.matching.forming import pair_id
from services.matching.pair import PAIR, FormPair
from services.matching.proposal import PROPOSAL, AskConsent, Propose, ReviewProposal
from services.matching.seat import SEAT, TakeSeat, seat_stream
from services.matching.tasks import CHUNK
from tests.programs.house import House
from tests.programs.season import roster

MENTORS, SEATS = 36, 3
FOUNDER = "founder-d"
IN_FLIGHT = 100
"""Requests that are on their way at once; more would wait in the servers until their time is over."""
Request = tuple[str, str, str, Json]
"""Who sends it, to which service, its path and its body; an `if_match` in the body becomes the header, a `method`
is another one than POST."""
WINDOWS = [{"weekday": day, "first": 48, "last": 72} for day in range(5)]


@dataclass
class Crowd:
    """The program, and its people by side."""

    services: House
    story: Story
    mentors: list[Member] = field(default_factory=list)
    executives: list[Member] = field(default_factory=list)
    capacity: int = SEATS
    """Seats of each executive."""
    founder: str = FOUNDER

    async def gather(self) -> None:
        """Everybody takes part; all have time at the same hours, and each executive has a few seats."""
        story, web = self.story, self.story.web
        body = PROGRAM | {
            "opens": story.today().isoformat(),
            "closes": (story.today() + timedelta(days=270)).isoformat(),
            "rules": {**PROGRAM["rules"], "capacity_executive": self.capacity},
            "coordinator": {"name": "Ines Duarte", "mail": "ines.duarte@company.example"},
        }
        story.program = (await web.post(self.founder, "enrollment", "/programs", body))["program"]
        post = partial(web.post, self.founder, "enrollment", story.at("/roster"), story.cast.text)
        story.cast.recognise((await web.until(post, "the roster is taken"))["people"])
        self.executives = story.cast.side("executive")[1:]
        self.mentors = story.cast.side("mentor")
        invited = await web.post(self.founder, "enrollment", story.at("/invitations"), {"wave": 1})
        story.invitations = {item["person"]: item["invitation"] for item in invited["invitations"]}
        after = await together(self._enrol(member) for member in [*self.executives, *self.mentors])
        await web.seen(self.founder, "matching", story.at("/pairs"), after)
        await web.settled()

    async def _enrol(self, member: Member) -> str:
        story, web, me = self.story, self.story.web, member.login
        path = story.at(f"/invitations/{story.invitations[member.person]}/answer")
        post = partial(web.post, me, "enrollment", path, {"answer": "accepted"})
        await web.until(post, f"{me} answers")
        seats = {"side": member.side, "capacity": self.capacity if member.side == "executive" else 1}
        await web.post(me, "enrollment", story.at("/participations"), seats)
        await web.post(me, "enrollment", story.at("/participations/me/charter"), {"charter_version": 1})
        said = await web.put(me, "enrollment", story.at("/participations/me/availability"), {"windows": WINDOWS})
        return str(said.after[-1])

    def propose(self, executive: Member) -> list[str]:
        """Every mentor has been asked about one executive; answers the proposals, in the order of the mentors."""
        return self.proposals(self.mentors, executive)

    def proposals(self, mentors: Sequence[Member], executive: Member, *, agreed: bool = False) -> list[str]:
        """A proposal about each of these mentors, who have been asked; the executive instead where they `agreed`."""
        lapses, streams, made = self.story.now() + timedelta(days=30), [], []
        for mentor in mentors:
            made.append(self._propose(mentor, executive))
            streams.append(PROPOSAL.stream(self.story.program, made[-1].proposal))
        asked = Side.executive if agreed else Side.mentor
        steps: list[Callable[[int], Command]] = [
            made.__getitem__,
            lambda _: ReviewProposal(verdict=Verdict.approved),
            lambda _: AskConsent(side=asked, lapses=lapses),
        ]
        for step in steps:
            for start in range(0, len(made), CHUNK):
                these = range(start, min(start + CHUNK, len(made)))
                self.run(*(On(PROPOSAL, streams[n], step(n)) for n in these))
        return [each.proposal for each in made]

    def _propose(self, mentor: Member, executive: Member) -> Propose:
        return Propose(
            program=self.story.program,
            proposal=random_id("pp"),
            mentor=mentor.person,
            executive=executive.person,
            round=random_id("ro"),
            rules_version=1,
            score=0,
            terms={},
            after=[],
        )

    def form(self, executive: Member) -> list[str]:
        """Every mentor is in a pair with one executive, who needs no seat for it; answers the pairs."""
        return [self._formed(mentor, executive) for mentor in self.mentors]

    def join(self, mentor: Member, executive: Member) -> str:
        """A mentor and an executive are a pair, with a seat of each taken; answers the pair."""
        pair = self._formed(mentor, executive)
        both = (mentor, Side.mentor, executive), (executive, Side.executive, mentor)
        for one, side, other in both:
            take = TakeSeat(pair=pair, partner=other.person)
            self.run(On(SEAT, seat_stream(self.story.program, one.person, side), take))
        return pair

    def _formed(self, mentor: Member, executive: Member) -> str:
        pair = pair_id(self.story.program, mentor.person, executive.person)
        command = FormPair(
            program=self.story.program,
            pair=pair,
            mentor=mentor.person,
            executive=executive.person,
            round=random_id("ro"),
            rules_version=1,
            after=[],
            mentor_rev=1,
            executive_rev=1,
        )
        self.run(On(PAIR, PAIR.stream(self.story.program, pair), command))
        return pair

    def run(self, *on: On) -> None:
        """Run commands as nobody in particular."""
        origin = Origin(command_id(random_id("co")), "test", correlation="test")
        self.services.do(self.services.runtimes["matching"].run(origin, *on))


def crowd(services: House, web: Web) -> Crowd:
    """A crowd that has not come together yet."""
    file = roster(services.folder, executives=2, mentors=MENTORS, prefix="crowd-", everywhere="bengaluru")
    return Crowd(services, Story(web, Cast.read(file), Silence()))


def scarce(services: House, web: Web, executives: int, mentors: int) -> Crowd:
    """Another, in a program of its own, whose executives have one seat each."""
    file = roster(services.folder, executives, mentors, prefix="one-", everywhere="bengaluru")
    return Crowd(services, Story(web, Cast.read(file), Silence()), capacity=1, founder="founder-e")


@dataclass(frozen=True)
class Said:
    """How one caller's request ended."""

    who: str
    status: int
    body: Any


async def race(services: House, requests: Sequence[Request], seconds: float = 300.0) -> list[Said]:
    """Send all at once, by turns to each of two processes. Who is told to come again does, with the same key."""
    most = min(len(requests), IN_FLIGHT)
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    async with (
        httpx.AsyncClient(timeout=httpx.Timeout(seconds), trust_env=False, limits=limits) as http,
        asyncio.timeout(seconds),
    ):
        turns = [(services.urls, services.others)[n % 2] for n in range(len(requests))]
        jobs = [_send(services, http, urls, *request) for urls, request in zip(turns, requests, strict=True)]
        return await asyncio.gather(*jobs)


async def _send(
    services: House, http: httpx.AsyncClient, urls: Mapping[str, str], who: str, service: str, path: str, body: Json
) -> Said:
    key = {"Idempotency-Key": random_id("co"), "If-Match": body.pop("if_match", '"0"')}
    method = body.pop("method", "POST")
    headers = {"Authorization": f"Bearer {services.installation.token(who)}", **key}
    while True:
        url = urls.get(service) or services.urls[service]
        answer = await http.request(method, f"{url}/{service}/v1{path}", json=body, headers=headers)
        if answer.status_code != 503:
            return Said(who, answer.status_code, answer.json())
        check("retry-after" in answer.headers, f"{who} was not told when to come again")
        await asyncio.sleep(0.02)
