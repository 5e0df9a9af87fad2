"""Third chapter: a round is opened and solved; once it is published the mentor is asked, then the executive."""

from functools import partial

from local.story.cast import FOUNDER
from local.story.people import EXECUTIVES
from local.story.state import Pair, Story
from local.story.web import Json, check, together

PAIRS = EXECUTIVES - 1


async def arrive(story: Story) -> None:
    """Everything that was declared has arrived: a round takes what it knows."""
    await story.web.seen(FOUNDER, "matching", story.at("/pairs"), story.enrolled_after)


async def solve(story: Story) -> str:
    """Open a round and wait for its result; answers the round's id."""
    web = story.web
    opened = await web.post(FOUNDER, "matching", story.at("/rounds"), {"kind": "cohort"})
    path = story.at(f"/rounds/{opened['round']}")

    async def solved() -> Json | None:
        answer = await web.get(FOUNDER, "matching", path)
        return answer.body if answer["state"] != "opened" else None

    result = await web.until(solved, "the round is solved")
    check(result["mentors"] == len(story.of_side("mentor")), f"the round knows {result['mentors']} mentors")
    check(result["executives"] == EXECUTIVES, f"the round knows {result['executives']} executives")
    check(result["proposed"] == EXECUTIVES, f"{result['proposed']} of {EXECUTIVES} executives were placed: {result}")
    story.tell.line(
        f"{result['mentors']} mentors, {result['executives']} executives: {result['proposed']} proposals, "
        f"total score {result['total']}, in {result['millis']} ms"
    )
    return str(opened["round"])


async def consent(story: Story, proposals: list[Json]) -> None:
    """The mentor is asked first and silently; then the executive, of whom one declines; a pair forms for the rest."""
    web = story.web
    quiet = await web.get(
        story.cast.by_person(proposals[0]["executive"]).login, "matching", story.at("/proposals/mine")
    )
    check(quiet["items"] == [], "an executive was asked before the mentor said yes")
    declining = story.of_side("executive")[0]
    await together(_both_answer(story, item, declining.person) for item in proposals)

    async def formed() -> list[Json] | None:
        found = await web.items(FOUNDER, "matching", story.at("/pairs"))
        return found if len(found) == PAIRS else None

    for item in await web.until(formed, f"{PAIRS} pairs are formed"):
        pair = Pair(item["pair"], story.cast.by_person(item["mentor"]), story.cast.by_person(item["executive"]))
        check(pair.executive is not declining, f"{declining.login} declined and is in a pair")
        story.pairs.append(pair)
    story.pairs.sort(key=lambda pair: pair.executive.login)
    story.tell.line(f"Every mentor said yes, then {PAIRS} executives; one declined: the fact says so, and no side")
    story.tell.line(f"{PAIRS} pairs formed")
    await why(story, story.pairs[0])


async def why(story: Story, pair: Pair) -> None:
    """Both of a pair read the same card of what they have in common; nobody else does."""
    path = story.at(f"/pairs/{pair.id}/why")
    cards = [(await story.web.get(who.login, "matching", path)).body for who in (pair.mentor, pair.executive)]
    check(cards[0] == cards[1] and cards[0]["score"] > 0, f"the two read {cards}")
    await story.web.refused(403, story.pairs[1].mentor.login, "GET", "matching", path)
    story.card = {"pair": pair.id, "mentor": pair.mentor.name, "executive": pair.executive.name, **cards[0]}
    story.tell.line(f"Why this pair, as both of it read it: {cards[0]['score']:,} points, and what each rests on")


async def _both_answer(story: Story, proposal: Json, declining: str) -> None:
    for side in ("mentor", "executive"):
        login = story.cast.by_person(proposal[side]).login
        asked = await story.web.until(partial(_asked, story, login), f"{login} is asked for consent")
        check(asked["proposal"] == proposal["proposal"], f"{login} was asked about another pair")
        partner = story.cast.by_person(proposal["executive" if side == "mentor" else "mentor"])
        check(partner.name not in str(asked), f"{login} was told a name before the pair was formed")
        answer = "no" if proposal[side] == declining else "yes"
        path = story.at(f"/proposals/{asked['proposal']}/consent")
        await story.web.post(login, "matching", path, {"answer": answer})


async def _asked(story: Story, login: str) -> Json | None:
    items = (await story.web.get(login, "matching", story.at("/proposals/mine")))["items"]
    return dict(items[0]) if items else None
