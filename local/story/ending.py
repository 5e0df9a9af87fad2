"""How the story ended: the figures, the pairs with their next step, the lag of every inbox, and who to try next."""

from dataclasses import dataclass

from local.story.cast import FOUNDER, SPONSOR
from local.story.state import Story
from local.story.web import Json


@dataclass(frozen=True)
class Ending:
    """What is left when the story is over.

    `card` is why one pair is one, with both names; `journeys` are as the coordinator's list has them; `personas` maps a
    role to a token subject; `private` is every name, address and text that must be in no fact; `trace` is the trace of
    the mentor's leaving.
    """

    program: str
    report: Json
    card: Json
    journeys: list[Json]
    lag: dict[str, list[Json]]
    trace: str
    personas: dict[str, str]
    logins: dict[str, str]
    private: frozenset[str]

    def summary(self) -> Json:
        """What two runs of the story have in common, whatever the ids, the days and the order of things were."""
        shown = {
            f"{table['title']}: {row['label']}, {cell['column']}": cell["shown"]
            for table in self.report["tables"]
            for row in table["rows"]
            for cell in row["cells"]
        }
        journeys = sorted([item["state"], item["held"], item["planned"]] for item in self.journeys)
        return {"cells": shown, "journeys": journeys}


async def gather(story: Story) -> Ending:
    """Read what the demo shows in the end, once every inbox has caught up."""
    web, cast = story.web, story.cast
    lag = await web.settled()
    journeys = await web.items(FOUNDER, "scheduling", story.at("/journeys"))
    living = story.pairs[-1]
    texts = {each for member in cast.members for each in (member.name, member.mail, member.login)}
    return Ending(
        program=story.program,
        report=story.report,
        card=story.card,
        journeys=journeys,
        lag=lag,
        trace=story.trace,
        personas={
            "coordinator": FOUNDER,
            "mentor": living.mentor.login,
            "executive": living.executive.login,
            "sponsor": SPONSOR,
        },
        logins={member.person: member.login for member in cast.members},
        private=frozenset(texts | set(cast.texts)),
    )
