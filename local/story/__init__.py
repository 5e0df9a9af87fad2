"""The story of a reverse-mentoring program from its first day to its figures, told through the public HTTP APIs alone.

It is what the demo shows and what the end-to-end test checks: every step raises StoryFailed where something else
happens than it tells.
"""

from collections.abc import Awaitable, Callable

from local.story import figures, months, pairing, parting, people, reviewing
from local.story.cast import Cast
from local.story.ending import Ending, gather
from local.story.state import Silence, Story, Teller
from local.story.web import Installation, StoryFailed, Web

__all__ = ["CHAPTERS", "Ending", "Installation", "StoryFailed", "Teller", "run"]


async def _opens(story: Story) -> None:
    await people.open_program(story)


async def _gathers(story: Story) -> None:
    await people.import_roster(story)
    await people.invite(story)
    await people.enrol(story)


async def _pairs_up(story: Story) -> None:
    await pairing.arrive(story)
    await reviewing.foresee(story)
    round_ = await pairing.solve(story)
    proposals = await reviewing.explain(story, round_)
    await pairing.consent(story, await reviewing.review(story, round_, proposals))


async def _meets(story: Story) -> None:
    await months.first_month(story)
    await months.raise_ideas(story)
    await months.second_month(story)


async def _parts(story: Story) -> None:
    await parting.part(story)
    await months.hold_second(story)
    await months.complete(story)


async def _reports(story: Story) -> None:
    await figures.give(story)
    await figures.publish(story)


async def _goes_on(story: Story) -> None:
    await months.go_on(story)


CHAPTERS: dict[str, tuple[str, Callable[[Story], Awaitable[None]]]] = {
    "opens": ("A coordinator opens a program", _opens),
    "gathers": ("A roster comes in, people are invited and enrol", _gathers),
    "pairs": ("A round is foreseen, solved, explained, reviewed and published; both sides consent", _pairs_up),
    "meets": ("Months pass: sessions, learning, ideas that become actions", _meets),
    "parts": ("A mentor leaves; the others go on", _parts),
    "reports": ("Pulses, insights, and the figures of the period", _reports),
    "goes_on": ("The pairs go on", _goes_on),
}
"""The chapters by name, in their order: a title, and what happens."""


async def _nothing(chapter: str) -> None:
    pass


async def run(
    installation: Installation,
    tell: Teller | None = None,
    *,
    arrived: Callable[[str], Awaitable[None]] = _nothing,
    patience: float = 30.0,
) -> Ending:
    """Live through the whole story in a new program, and answer how it ended.

    `arrived` is called with each chapter's name before it begins. `patience` is how long, in seconds, the story waits
    for a service that is down or for something that must come. Raises StoryFailed.
    """
    async with Web(installation, patience) as web:
        story = Story(web, Cast.read(), tell or Silence())
        for name, (title, happens) in CHAPTERS.items():
            await arrived(name)
            story.tell.chapter(title)
            await happens(story)
        return await gather(story)
