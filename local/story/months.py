"""Fourth chapter: months pass in seconds. Sessions are booked, moved, cancelled and held; ideas become actions."""

from datetime import datetime, timedelta

from local.story.cast import FOUNDER
from local.story.program import MINUTES, SESSIONS, THEMES
from local.story.state import Pair, Story
from local.story.web import Answer, Json, check, together

IDEAS, COMMITTED, STARTED, EVIDENCED, CONFIRMED = 9, 8, 7, 6, 5
"""How many of the pairs get how far with the change they want."""
COMPLETE = 3
"""How many pairs reach the end of their journey."""
PUNCTUAL, FORGETFUL, LATE = 3, 4, 6
"""Which pairs, in the order of their executives, end the story with another next step than the others."""


async def proposed(story: Story, pair: Pair, number: int, not_: str = "") -> Json:
    """The session of the number with times to come, as its mentor sees it; `not_` is one that is given up."""
    path = story.at(f"/pairs/{pair.id}/sessions")

    async def waiting() -> Json | None:
        items = await story.web.items(pair.mentor.login, "scheduling", path)
        waiting = [i for i in items if i["number"] == number and i["state"] == "proposed" and i["session"] != not_]
        return next((item for item in waiting if _to_come(story, item)), None)

    return await story.web.until(waiting, f"session {number} of {pair.id} is proposed")


async def book(story: Story, pair: Pair, number: int, not_: str = "") -> Json:
    """The executive takes the first window to come of at most three; answers the session as it was proposed."""
    session = await proposed(story, pair, number, not_)
    windows = session["windows"]
    check(1 <= len(windows) <= 3, f"{len(windows)} windows were offered to {pair.id}")
    check(any(window["fit"] == "both" for window in windows), f"no window suits both sides of {pair.id}")
    check(set(windows[0]["local"]) == {"mentor", "executive"}, "a window is not shown in both local times")
    first = _to_come(story, session)[0]
    path = story.at(f"/sessions/{session['session']}/book")
    await story.web.post(pair.executive.login, "scheduling", path, {"window": first, "channel": "video"})
    pair.booked, pair.start = session["session"], _instant(windows[first]["start"])
    return session


async def move(story: Story, pair: Pair, session: Json) -> None:
    """The mentor moves a booked session to another of its windows; without the version that was read it is refused."""
    start = session["windows"][-1]["start"]
    path = story.at(f"/sessions/{pair.booked}")
    if _instant(start) == pair.start:
        start = (_instant(start) + timedelta(hours=1)).isoformat()
    await story.web.refused(428, pair.mentor.login, "POST", "scheduling", f"{path}/move", {"start": start})
    seen = await story.web.get(pair.mentor.login, "scheduling", path)
    await story.web.post(pair.mentor.login, "scheduling", f"{path}/move", {"start": start}, If_Match=seen.etag)
    pair.start = _instant(start)


async def cancel(story: Story, pair: Pair) -> None:
    """The executive cancels; the session of the same number is proposed again, and booked."""
    path = story.at(f"/sessions/{pair.booked}")
    seen = await story.web.get(pair.executive.login, "scheduling", path)
    await story.web.post(pair.executive.login, "scheduling", f"{path}/cancel", {}, If_Match=seen.etag)
    await book(story, pair, 1, not_=pair.booked)


async def hold(story: Story, pair: Pair, number: int, notes: tuple[str, ...] = ("mentor", "executive")) -> None:
    """The session takes place, and the sides in `notes` write down one thing they learned."""
    web, path = story.web, story.at(f"/sessions/{pair.booked}")
    held = await web.post(pair.mentor.login, "scheduling", f"{path}/hold", {"minutes": MINUTES, "channel": "video"})
    theme = THEMES[number % len(THEMES)]
    for side in notes:
        login = pair.mentor.login if side == "mentor" else pair.executive.login
        text = story.cast.says(f"What the {side} of {pair.executive.login} took from session {number}")
        note = {"tag": theme, "themes": [theme], "text": text}
        await web.post(login, "scheduling", f"{path}/learning", note, Counterpoint_After=", ".join(held.after))
    pair.sessions.append(pair.booked)
    pair.booked, pair.start = "", None


async def first_month(story: Story) -> None:
    """Everybody meets for the first time; one session is moved before, one cancelled by an executive."""
    sessions = await together(book(story, pair, 1) for pair in story.pairs)
    await together([move(story, story.pairs[0], sessions[0]), cancel(story, story.pairs[1])])
    story.tell.line(
        f"{len(story.pairs)} first sessions booked from windows that suit both; 1 moved, 1 cancelled and booked again"
    )
    _pass_time(story)
    one_sided = story.pairs[2]
    await together(
        hold(story, pair, 1, ("mentor",) if pair is one_sided else ("mentor", "executive")) for pair in story.pairs
    )
    story.tell.line(
        f"{story.today():%d %B %Y}: {len(story.pairs)} sessions held; both sides noted what they learned, "
        "in one pair only the mentor"
    )


async def raise_ideas(story: Story) -> None:
    """Ideas on the boards become commitments with an owner and a date; some are done, and confirmed by the mentor."""
    await together(follow_through(story, pair, i) for i, pair in enumerate(story.pairs[:IDEAS]))
    await story.web.refused(403, FOUNDER, "GET", "scheduling", story.at(f"/pairs/{story.pairs[0].id}/board"))
    story.tell.line(
        f"Boards: {IDEAS} ideas, {COMMITTED} committed, {STARTED} started, {EVIDENCED} evidenced, "
        f"{CONFIRMED} confirmed by the mentor; the coordinator cannot read a board"
    )


async def follow_through(story: Story, pair: Pair, number: int) -> None:
    says = story.cast.says
    mentor, executive = pair.mentor.login, pair.executive.login

    async def step(who: str, path: str, body: Json, before: Answer | None = None) -> Answer:
        after = ", ".join(before.after) if before else None
        return await story.web.post(who, "scheduling", story.at(path), body, Counterpoint_After=after)

    text = says(f"Idea of {mentor}: let the newest people speak first")
    idea = await step(mentor, f"/pairs/{pair.id}/ideas", {"theme": THEMES[number % len(THEMES)], "text": text})
    if number >= COMMITTED:
        return
    promise = says(f"Promise of {executive}: the newest person opens the monthly review")
    due = (story.today() + timedelta(days=30)).isoformat()
    body = {"owner": "executive", "due": due, "text": promise}
    done = await step(executive, f"/ideas/{idea['idea']}/commit", body, idea)
    pair.action = done["action"]
    action = f"/actions/{pair.action}"
    if number < STARTED:
        done = await step(executive, f"{action}/start", {}, done)
    if number < EVIDENCED:
        shown = says(f"Evidence of {executive}: minutes of the last two reviews")
        done = await step(executive, f"{action}/evidence", {"kind": "practice", "text": shown}, done)
    if number < CONFIRMED:
        await step(mentor, f"{action}/confirm", {}, done)


async def second_month(story: Story) -> None:
    """Everybody's second session is booked."""
    await together(book(story, pair, 2) for pair in story.pairs)
    story.tell.line(f"{len(story.pairs)} second sessions booked, the first not before {_first_start(story):%d %B %Y}")


async def hold_second(story: Story) -> None:
    """Those who are still together meet again; one executive forgets to write down what they learned."""
    _pass_time(story)
    forgetful = story.pairs[FORGETFUL]
    await together(
        hold(story, pair, 2, ("mentor",) if pair is forgetful else ("mentor", "executive")) for pair in story.pairs
    )
    story.tell.line(f"{story.today():%d %B %Y}: {len(story.pairs)} second sessions held")


async def complete(story: Story) -> None:
    """Some pairs reach the planned number of sessions: their journeys are complete and their seats free again."""
    pairs = story.pairs[:COMPLETE]
    await together(book(story, pair, SESSIONS) for pair in pairs)
    _pass_time(story)
    await together(hold(story, pair, SESSIONS) for pair in pairs)

    async def completed() -> bool:
        journeys = await story.web.items(FOUNDER, "scheduling", story.at("/journeys"))
        states = {item["pair"]: item["state"] for item in journeys}
        return all(states[pair.id] == "completed" for pair in pairs)

    await story.web.until(completed, f"{len(pairs)} journeys are complete")
    story.tell.line(
        f"{story.today():%d %B %Y}: {len(pairs)} pairs held their third session; their journeys are complete"
    )


async def go_on(story: Story) -> None:
    """Where all times passed unanswered, new ones came; two pairs book, one executive shows what was done."""
    await together(proposed(story, pair, SESSIONS) for pair in story.pairs[COMPLETE:])
    await together(book(story, story.pairs[index], SESSIONS) for index in (PUNCTUAL, FORGETFUL))
    late = story.pairs[LATE]
    shown = {"kind": "announcement", "text": story.cast.says(f"Late evidence of {late.executive.login}")}
    path = story.at(f"/actions/{late.action}/evidence")
    await story.web.post(late.executive.login, "scheduling", path, shown)
    journeys = story.at("/journeys")
    expected = {PUNCTUAL: "hold_session", FORGETFUL: "note_learning", LATE: "confirm_evidence"}

    async def all_known() -> bool:
        items = await story.web.items(FOUNDER, "scheduling", journeys)
        steps = {item["pair"]: (item["next"] or {}).get("what") for item in items}
        return all(steps[story.pairs[index].id] == what for index, what in expected.items())

    await story.web.until(all_known, "every pair has its next step")
    story.tell.line("Times that had passed are offered anew; 2 third sessions booked; evidence waits for a mentor")


def _to_come(story: Story, session: Json) -> list[int]:
    """Which of the proposed windows can still be taken."""
    starts = [_instant(window["start"]) for window in session["windows"]]
    return [index for index, start in enumerate(starts) if start > story.now()]


def _first_start(story: Story) -> datetime:
    return min(pair.start for pair in story.pairs if pair.start is not None)


def _pass_time(story: Story) -> None:
    """Let the last of the booked sessions be over."""
    last = max(pair.start for pair in story.pairs if pair.start is not None)
    story.travel_to(last + timedelta(minutes=MINUTES))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
