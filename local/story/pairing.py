"""Third chapter: a round is solved, reviewed and published; the mentor is asked, then the executive; pairs form."""

from functools import partial

from local.story.cast import FOUNDER
from local.story.people import EXECUTIVES
from local.story.state import Pair, Story
from local.story.web import Json, check, together

PAIRS = EXECUTIVES - 1


async def solve(story: Story) -> str:
    """Open a round once everything that was declared has arrived, and wait for its result; answers the round's id."""
    web = story.web
    await web.seen(FOUNDER, "matching", story.at("/pairs"), story.enrolled_after)  # a round takes what has arrived
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


async def review(story: Story, round_: str) -> list[Json]:
    """The coordinator locks one proposal, approves the others and lets the result out; answers the proposals."""
    web, path = story.web, story.at(f"/rounds/{round_}")

    async def all_proposals() -> list[Json] | None:
        found = await web.items(FOUNDER, "matching", f"{path}/proposals")
        return found if len(found) == EXECUTIVES else None

    proposals = await web.until(all_proposals, "every proposal can be reviewed")
    _outside_the_line(story, proposals)
    sponsor = await web.refused(403, "sponsor", "GET", "matching", f"{path}/proposals")
    check("detail" in sponsor, "a refusal says why")
    best = max(proposals, key=lambda item: (item["score"], item["proposal"]))
    await web.post(FOUNDER, "matching", story.at(f"/proposals/{best['proposal']}/review"), {"verdict": "locked"})
    await web.post(FOUNDER, "matching", f"{path}/approvals")
    await web.post(FOUNDER, "matching", f"{path}/publish")
    story.tell.line("Reviewed: 1 locked, 11 approved; nobody is proposed inside a reporting line. Published.")
    return proposals


def _outside_the_line(story: Story, proposals: list[Json]) -> None:
    cast = story.cast
    for item in proposals:
        mentor, executive = cast.by_person(item["mentor"]), cast.by_person(item["executive"])
        inside = executive.employee in cast.line(mentor) or mentor.employee in cast.line(executive)
        check(not inside, f"{mentor.login} and {executive.login} are in one reporting line")


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
