"""Sixth chapter: pulses and insights are given, sealed; the figures of the period are published with a floor of 5."""

from datetime import UTC, datetime, time, timedelta

from local.story.cast import FOUNDER, SPONSOR, Member
from local.story.program import THEMES
from local.story.state import Story
from local.story.web import Json, check, together

STATES = ("figure", "no_data", "hidden")


async def give(story: Story) -> None:
    """Both sides answer two taps; some questions few answer, some nobody; one theme many raise, another few."""
    executives, mentors = story.of_side("executive"), story.still_mentors()
    pulses = [
        *(_pulse(story, member, "in_tune", 3 + i % 3) for i, member in enumerate(executives[:9])),
        *(_pulse(story, member, "respect", 4 + i % 2) for i, member in enumerate(mentors[:20])),
        *(_pulse(story, member, "respect", 4 + i % 2) for i, member in enumerate(executives[:8])),
        *(_pulse(story, member, "optimistic", 2 + i) for i, member in enumerate(executives[:4])),
    ]
    insights = [
        *(_insight(story, member, THEMES[0], "Decisions reach us after the news") for member in mentors[:12]),
        *(_insight(story, member, THEMES[1], "We learn more on Fridays than in courses") for member in mentors[12:16]),
    ]
    await together([*pulses, *insights])
    story.tell.line(f"{len(pulses)} pulses and {len(insights)} insights given; none of them names anybody")


async def _pulse(story: Story, member: Member, kind: str, value: int) -> None:
    await story.web.post(member.login, "insights", story.at("/pulses"), {"kind": kind, "value": value})


async def _insight(story: Story, member: Member, theme: str, text: str) -> None:
    body = {"theme": theme, "text": story.cast.says(text)}
    await story.web.post(member.login, "insights", story.at("/insights"), body)


async def publish(story: Story) -> None:
    """The figures of the period are computed once; the sponsor reads what was published, and the rest stays hidden."""
    web = story.web
    sunday = story.today() + timedelta(days=6 - story.today().weekday())
    period = {"kind": "health", "first": story.opened.isoformat(), "last": sunday.isoformat()}
    # Answers are counted by the week, so a period can be published when its last week is over.
    story.travel_to(datetime.combine(sunday + timedelta(days=1), time(6), UTC))
    await web.settled()  # what is published once and for all should count everything that has happened
    await web.refused(403, story.of_side("mentor")[0].login, "POST", "insights", story.at("/reports"), period)
    published = await web.post(FOUNDER, "insights", story.at("/reports"), period)
    again = await web.post(FOUNDER, "insights", story.at("/reports"), period)
    check(again["report"] == published["report"], "the same period was published twice")
    read = await web.get(SPONSOR, "insights", story.at(f"/reports/{published['report']}"))
    story.report = read.body
    found = [cell["state"] for cell in cells(story.report)]
    check(set(found) == set(STATES), f"the report should show every state of a cell, and shows {sorted(set(found))}")
    check(len(found) == published["cells"], f"{published['cells']} cells were announced, {len(found)} are shown")
    check(found.count("hidden") == published["hidden"], "the number of hidden cells is not the announced one")
    check(
        all("value" not in cell or cell["state"] == "figure" for cell in cells(story.report)),
        "a hidden cell has a value",
    )
    figures = found.count("figure")
    hidden, missing = found.count("hidden"), found.count("no_data")
    story.tell.line(f"{len(found)} cells published: {figures} figures, {hidden} hidden, {missing} without data")


def cells(report: Json) -> list[Json]:
    """Every cell of a report."""
    return [cell for table in report["tables"] for row in table["rows"] for cell in row["cells"]]
