"""Fifth chapter: one mentor leaves, alone and without a reason, and the executive sees nothing of why."""

import secrets

from local.story.cast import FOUNDER
from local.story.state import Pair, Story
from local.story.web import Json, check, together


async def part(story: Story) -> None:
    """One mentor leaves the program; another pair is ended by the coordinator. Both look the same from outside."""
    web = story.web
    left, ended = story.pairs[-1], story.pairs[-2]
    story.trace = secrets.token_hex(16)
    await web.post(
        left.mentor.login,
        "enrollment",
        story.at("/participations/me/withdraw"),
        traceparent=f"00-{story.trace}-{secrets.token_hex(8)}-01",
    )
    story.gone.append(left.mentor)
    path = story.at(f"/pairs/{ended.id}")
    seen = await web.get(FOUNDER, "matching", path)
    await web.post(FOUNDER, "matching", f"{path}/end", If_Match=seen.etag)
    worlds = await together(_released(story, pair) for pair in (left, ended))
    check(worlds[0] == worlds[1], f"the executive could tell the two worlds apart: {worlds[0]} and {worlds[1]}")
    story.pairs = [pair for pair in story.pairs if pair not in (left, ended)]
    story.tell.line("A mentor left: no reason asked, none kept. The pair is released, its next session cancelled.")
    story.tell.line("The coordinator ended another pair: but for ids and dates, both executives see the same")


async def _released(story: Story, pair: Pair) -> Json:
    """What the executive sees of a pair that is over, with everything taken out that differs between any two pairs."""
    web, who = story.web, pair.executive.login

    async def over() -> Json | None:
        journeys = await web.items(who, "scheduling", story.at("/journeys"))
        sessions = await web.items(who, "scheduling", story.at(f"/pairs/{pair.id}/sessions"))
        pairs = await web.items(who, "matching", story.at("/pairs"))
        journey = next(item for item in journeys if item["pair"] == pair.id)
        booked = next(item for item in sessions if item["session"] == pair.booked)
        if booked["state"] != "cancelled" or journey["next"] is not None:
            return None
        own = {"journey": journey, "session": booked, "pairs": pairs}
        return own if all(item["state"] != "formed" for item in pairs) else None

    world = await web.until(over, f"{pair.id} is released and its session cancelled")
    return _shape(world)


def _shape(value: object) -> Json:
    """The keys and the words of an answer; ids, names and times are replaced by their kind."""
    kept = ("state", "cause", "by", "what", "who", "held", "planned", "number", "sequence", "notice_hours")
    if isinstance(value, dict):
        return {
            k: _shape(v) if isinstance(v, dict | list) else (v if k in kept else type(v).__name__)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return {str(i): _shape(item) for i, item in enumerate(value)}
    return {"": type(value).__name__}
