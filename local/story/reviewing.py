"""Third chapter, before and after a round is solved: what it can give, why it is so, changes by hand, publication."""

from collections import Counter
from itertools import combinations

from local.story.cast import FOUNDER
from local.story.people import EXECUTIVES
from local.story.state import Story
from local.story.web import Json, check, together

GONE = ("rejected", "swapped")
TRIED = 5
"""Of so many proposals every two are asked whether they may exchange their partners."""


async def foresee(story: Story) -> None:
    """Before a round the coordinator sees who cannot be placed, and what each rule costs."""
    web, path = story.web, story.at("/feasibility")
    found = (await web.get(FOUNDER, "matching", path)).body
    now = found["now"]
    check(now["pairs"] == EXECUTIVES, f"before the round {now['pairs']} pairs are possible")
    kept = Counter[str]()
    for counts in found["reasons"].values():
        kept.update(counts)
    told = (
        ", ".join(f"{count} for {rule}" for rule, count in kept.most_common()) or "nobody is without a possible partner"
    )
    story.tell.line(f"Before: {now['pairs']} pairs, {now['points']:,} points; who has nobody by a rule: {told}")
    for rule in found["weaker"]:
        to = "not asked for" if rule["to"] is None else rule["to"]
        gain = {name: rule[name] - now[name] for name in ("people", "points")}
        story.tell.line(f"  {rule['rule']} {to}: {gain['people']:+,} people, {gain['points']:+,} points")
    await web.refused(403, "sponsor", "GET", "matching", path)


async def explain(story: Story, round_: str) -> list[Json]:
    """Why two go together, what another pair would cost, why somebody has nobody, what other objectives would give;
    answers the proposals."""
    web, path = story.web, story.at(f"/rounds/{round_}")

    async def all_proposals() -> list[Json] | None:
        found = await living(story, round_)
        return found if len(found) == EXECUTIVES else None

    proposals = await web.until(all_proposals, "every proposal can be reviewed")
    await web.refused(403, "sponsor", "GET", "matching", f"{path}/proposals")
    best = max(proposals, key=lambda item: (item["score"], item["proposal"]))
    why = await _pair(story, path, best["mentor"], best["executive"])
    check(why["answer"] == "placed", f"the best pair is {why['answer']}")
    check(sum(term["points"] for term in why["terms"]) == best["score"], "the points of a pair are not its score")
    told = ", ".join(f"{term['term']} {term['points']:,}" for term in why["terms"] if term["points"])
    story.tell.line(f"Why the best pair: {told}; {best['score']:,} of 10,000")
    for item in proposals:
        other = await _pair(story, path, best["mentor"], item["executive"])
        if other["answer"] == "possible":
            cost = other["price"]
            story.tell.line(
                f"Why not another: it would cost {cost['points']:,} points, and {cost['changed']} people other partners"
            )
            break
    people = await _everybody(story, path)
    reasons = Counter(each["reason"] for each in people if each["reason"])
    check(sum(reasons.values()) == len(story.taking_part) - 2 * EXECUTIVES, f"the reasons of who has nobody: {reasons}")
    story.tell.line(f"Why nobody: {', '.join(f'{rule} {count}' for rule, count in reasons.most_common())}")
    ours, *others = (await web.get(FOUNDER, "matching", f"{path}/objectives"))["items"]
    for each in others:
        more = {name: each[name] - ours[name] for name in ("people", "pairs", "points")}
        told = ", ".join(f"{by:+,} {name}" for name, by in more.items() if by) or "the same"
        story.tell.line(f"By {each['objective']} instead of {ours['objective']}: {told}")
    return proposals


async def _pair(story: Story, path: str, mentor: str, executive: str) -> Json:
    asked = f"{path}/explanation?mentor={mentor}&executive={executive}"
    return dict((await story.web.get(FOUNDER, "matching", asked)).body)


async def _everybody(story: Story, path: str) -> list[Json]:
    return await story.web.items(FOUNDER, "matching", f"{path}/explanation")


async def review(story: Story, round_: str, proposals: list[Json]) -> list[Json]:
    """The coordinator rejects a pair, which is replaced; swaps two, locks one, approves the others and lets the result
    out; answers the proposals that people are asked about."""
    worst = min(proposals, key=lambda item: (item["score"], item["proposal"]))
    left = await _reject(story, round_, worst)
    swapped, points = await _swap(story, round_, left)
    best = max(swapped, key=lambda item: (item["score"], item["proposal"]))
    web, path = story.web, story.at(f"/rounds/{round_}")
    await web.post(FOUNDER, "matching", story.at(f"/proposals/{best['proposal']}/review"), {"verdict": "locked"})
    verified = await web.get(FOUNDER, "matching", f"{path}/verification")
    check(verified["proven"], f"the round is not proven: {verified['wrong']}")
    _outside_the_line(story, swapped)
    await web.post(FOUNDER, "matching", f"{path}/approvals")
    await web.post(FOUNDER, "matching", f"{path}/publish")
    story.tell.line(
        f"Reviewed: 1 rejected and replaced, 2 swapped for {points:+,} points, 1 locked, the others approved."
    )
    story.tell.line("Proven again; nobody is proposed inside a reporting line. Published.")
    return swapped


def _outside_the_line(story: Story, proposals: list[Json]) -> None:
    cast = story.cast
    for item in proposals:
        mentor, executive = cast.by_person(item["mentor"]), cast.by_person(item["executive"])
        inside = executive.employee in cast.line(mentor) or mentor.employee in cast.line(executive)
        check(not inside, f"{mentor.login} and {executive.login} are in one reporting line")


async def _reject(story: Story, round_: str, rejected: Json) -> list[Json]:
    """The round is solved again without the pair, around all others."""
    before = await living(story, round_)
    await story.web.post(
        FOUNDER, "matching", story.at(f"/proposals/{rejected['proposal']}/review"), {"verdict": "rejected"}
    )
    after = await _solved_again(story, round_, rejected["proposal"])
    kept = {item["proposal"] for item in before} - {rejected["proposal"]}
    check(kept <= {item["proposal"] for item in after}, "a rejection changed other pairs")
    return after


async def _swap(story: Story, round_: str, proposals: list[Json]) -> tuple[list[Json], int]:
    """Of a few pairs the two that lose least by it exchange their partners; the price is told before."""
    path = story.at(f"/rounds/{round_}/swaps")

    async def price(one: Json, other: Json) -> tuple[int, Json] | None:
        pair = {"first": one["proposal"], "second": other["proposal"]}
        told = await story.web.get(FOUNDER, "matching", f"{path}?first={pair['first']}&second={pair['second']}")
        return (int(told["points"]), pair) if all(each["allowed"] for each in told["after"]) else None

    priced = await together(price(*two) for two in combinations(proposals[:TRIED], 2))
    points, pair = max((found for found in priced if found), key=lambda found: found[0], default=(0, {}))
    check(bool(pair), "no two pairs may exchange their partners")
    await story.web.post(FOUNDER, "matching", path, pair)
    return await _solved_again(story, round_, *pair.values()), points


async def _solved_again(story: Story, round_: str, *gone: str) -> list[Json]:
    """Once the round is proven without these proposals and every executive has one."""

    async def done() -> list[Json] | None:
        state = await story.web.get(FOUNDER, "matching", story.at(f"/rounds/{round_}"))
        found = await living(story, round_)
        fresh = not {item["proposal"] for item in found} & set(gone)
        total = sum(item["score"] for item in found)
        return found if fresh and len(found) == EXECUTIVES and state["total"] == total else None

    return await story.web.until(done, "the round is solved again")


async def living(story: Story, round_: str) -> list[Json]:
    """The proposals of a round that people can still be asked about."""
    found = await story.web.items(FOUNDER, "matching", story.at(f"/rounds/{round_}/proposals"))
    return [item for item in found if item["state"] == "proposed" and item["verdict"] not in GONE]
