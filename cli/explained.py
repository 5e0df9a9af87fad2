"""How explanations of a round look in a terminal: people, terms, rules in words, a histogram, a comparison."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from cli.screen import out, table

Json = dict[str, Any]

RULES = {
    "charter": "the charter is not accepted",
    "line_incomplete": "somebody is missing in the reporting line",
    "placeable": "nobody on the other side can be placed",
    "language": "no language in common",
    "level": "too few levels apart",
    "function": "the same function",
    "site": "the same site",
    "window": "no common window that is long enough",
    "overlap": "too little time in common",
    "apart": "kept apart by the program's rules: a line, an earlier pair, declined or excluded",
    "taken": "everybody suitable is taken",
}
"""What keeps two people apart, or somebody without a partner, in words."""
BAR = 40
SHOWN = 20
"""People of a long list who are shown; `--json` has all."""


def in_words(rule: str) -> str:
    """What a rule says."""
    return RULES.get(rule, rule)


def who(person: Mapping[str, Any]) -> str:
    """Somebody as a coordinator recognises them."""
    about = [f"level {person['level']}", person["function"], person["site"]]
    return f"{person['person']}  {' · '.join(str(a) for a in about if a)}"


def histogram(scores: Sequence[int], step: int = 1000) -> list[str]:
    """How many pairs have which score: a bar for each thousand points from the least to the best."""
    if not scores:
        return []
    bins = Counter(score // step for score in scores)
    most = max(bins.values())
    lines = []
    for at in range(min(bins), max(bins) + 1):
        bar = "█" * -(-bins[at] * BAR // most)
        lines.append(f"{at * step:>7,} – {(at + 1) * step - 1:>7,}  {bar:<{BAR}}  {bins[at] or ''}".rstrip())
    return lines


def reasons(people: Iterable[Json]) -> Table:
    """Those without a partner, by what keeps them from one."""
    counts = Counter((p["reason"], p["side"]) for p in people)
    rows = [(count, f"{side}s", in_words(rule)) for (rule, side), count in counts.most_common()]
    return table("", ("people", "", "why"), rows, ("people",))


def without(people: Sequence[Json]) -> Table:
    """The first of those without a partner, with the partners that remain after each rule in turn."""
    rules = list(people[0]["left"]) if people else []
    rows = [(who(p), p["side"], in_words(p["reason"]), *(p["left"][rule] for rule in rules)) for p in people[:SHOWN]]
    return table("", ("person", "side", "why", *rules), rows, rules)


def outcomes(rows: Sequence[tuple[str, Json]]) -> Table:
    """People, pairs and points of several results; of all but the first also how they differ from it."""
    names = ("people", "pairs", "points")
    first = rows[0][1]
    told = []
    for name, figures in rows:
        cells = [f"{figures[n]:,}" + (_more(figures[n] - first[n]) if figures is not first else "") for n in names]
        told.append((name, *cells))
    return table("", ("", *names), told, names)


def _more(by: int) -> str:
    return f" ({by:+,})" if by else " (=)"


def show_person(person: Json) -> None:
    """With whom somebody is placed, or why with nobody."""
    out.print(f"{person['side']} {who(person)}", markup=False)
    if person["partners"]:
        rows = [(p["person"], f"{p['score']:,}") for p in person["partners"]]
        out.print(table("", ("placed with", "points"), rows, ("points",)))
        return
    out.print(f"Nobody: {in_words(person['reason'])}. Partners left after each rule:", markup=False)
    out.print(table("", list(person["left"]), [list(person["left"].values())], list(person["left"])))


def show_pair(why: Json) -> None:
    """Why two are a pair, by which rule they are none, or what it would cost."""
    for side in ("mentor", "executive"):
        out.print(f"{side:<9}  {who(why[side])}", markup=False)
    if why["answer"] == "rule":
        kept = why["unplaceable"].items()
        told = [in_words(why["rule"])] if not kept else [f"{p}: {in_words(w)}" for p, w in kept]
        out.print(f"No pair: {'; '.join(told)}.", markup=False)
        return
    headlines = {
        "placed": "A pair of this round.",
        "possible": "No pair, but the rules allow it.",
    }
    out.print(headlines[why["answer"]])
    show_terms(why["terms"])
    if why["price"]:
        _price(why["price"])


def show_terms(terms: Sequence[Json]) -> None:
    """The points of a pair, and what they rest on."""
    rows = [(t["term"], f"{t['points']:,}", f"{t['most']:,}", rests_on(t["rests_on"])) for t in terms]
    rows.append(("", f"{sum(t['points'] for t in terms):,}", f"{sum(t['most'] for t in terms):,}", ""))
    out.print(table("", ("term", "points", "of", "rests on"), rows, ("points", "of")))


def rests_on(facts: Mapping[str, Any]) -> str:
    """What a term's points rest on, in words."""
    match facts:
        case {"themes": words} | {"channels": words}:
            return ", ".join(words) or "nothing in common"
        case {"levels_apart": levels}:
            return f"{levels} levels apart"
        case {"another": True}:
            return "another one"
        case {"another": False}:
            return "the same one"
        case {"minutes_a_week": minutes}:
            return f"{minutes:,} minutes a week in common"
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _price(price: Json) -> None:
    lost = {name: price[name] for name in ("people", "pairs", "points")}
    parts = [f"{abs(n):,} {name} {'less' if n > 0 else 'more'}" for name, n in lost.items() if n]
    out.print(f"With it the round would have {', '.join(parts) or 'as much in all'}.")
    if lost["people"] <= 0 and lost["pairs"] <= 0 and lost["points"] < 0:
        out.print("But somebody who goes first, whom a round had nobody for or whose pair ended, would have nobody.")
    rows = [
        (c["person"], c["side"], " ".join(c["before"]) or "–", " ".join(c["after"]) or "–") for c in price["changes"]
    ]
    out.print(table("", ("who would change", "side", "from", "to"), rows))
    if price["changed"] > len(rows):
        out.print(f"… and {price['changed'] - len(rows):,} more")


def compared(one: Sequence[Json], other: Sequence[Json]) -> Json:
    """What differs between two rounds, each told as everybody with their partners."""
    before, after = _pairs(one), _pairs(other)
    told: Json = {"kept": sorted(before.keys() & after.keys())}
    new, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    both = {mentor for mentor, _ in before} & {mentor for mentor, _ in after}
    told["changed"] = [
        {
            "mentor": mentor,
            "before": [e for m, e in gone if m == mentor],
            "after": [e for m, e in new if m == mentor],
        }
        for mentor in sorted(both & {m for m, _ in [*new, *gone]})
    ]
    told |= {"new": [p for p in new if p[0] not in both], "gone": [p for p in gone if p[0] not in both]}
    points = [{(p["person"], p["side"]): sum(x["score"] for x in p["partners"]) for p in side} for side in (one, other)]
    differs = {
        key: (points[0].get(key, 0), points[1].get(key, 0)) for key in sorted(points[0].keys() | points[1].keys())
    }
    told["people"] = [
        {"person": person, "side": side, "before": was, "after": is_}
        for (person, side), (was, is_) in sorted(differs.items(), key=lambda item: item[1][1] - item[1][0])
        if was != is_
    ]
    told["figures"] = [figures(one), figures(other)]
    return told


def figures(people: Iterable[Json]) -> Json:
    """People who have a pair, pairs, and points."""
    everybody = list(people)
    pairs = _pairs(everybody)
    return {"people": sum(bool(p["partners"]) for p in everybody), "pairs": len(pairs), "points": sum(pairs.values())}


def _pairs(people: Iterable[Json]) -> dict[tuple[str, str], int]:
    return {(p["person"], x["person"]): x["score"] for p in people if p["side"] == "mentor" for x in p["partners"]}


def show_compared(names: tuple[str, str], told: Json) -> None:
    """The difference between two rounds."""
    out.print(outcomes(list(zip(names, told["figures"], strict=True))))
    out.print(f"{len(told['kept']):,} pairs are in both.")
    rows = [
        ("changed", c["mentor"], " ".join(c["before"]) or "–", " ".join(c["after"]) or "–") for c in told["changed"]
    ]
    rows += [("new", mentor, "–", executive) for mentor, executive in told["new"]]
    rows += [("gone", mentor, executive, "–") for mentor, executive in told["gone"]]
    if rows:
        out.print(table("", ("", "mentor", "before", "after"), rows[:SHOWN]))
    _rest(len(rows))
    people = [(p["person"], p["side"], f"{p['after'] - p['before']:+,}") for p in told["people"]]
    if people:
        out.print(table("", ("person", "side", "points"), people[:SHOWN], ("points",)))
    _rest(len(people))


def _rest(count: int) -> None:
    if count > SHOWN:
        out.print(f"… and {count - SHOWN:,} more (--json has all)")
