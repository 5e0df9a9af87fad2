"""Whoever was a pair in any program is not paired again, unless a program's rules say otherwise; and nobody is told."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from chassis.deciding.decider import Refused
from chassis.testing.spec import given
from contracts.enrollment import EarlierPartners, Rules
from contracts.fact import Fact
from contracts.matching import Origin, PartnerMet
from services.matching import forming
from services.matching.cohort import Cohort
from services.matching.judging import Judged
from services.matching.partners import PARTNERS, Meet, partners_of, partners_stream
from services.matching.proposal import PROPOSAL
from tests.spec.matching import people
from tests.spec.matching.people import ADA, NOW, OMAR, an_id, candidate, cohort
from tests.spec.matching.test_direct import a_program, weighed
from tests.spec.matching.test_excluding import BOTH_ASKED, world
from tests.spec.matching.test_freezing import frozen
from tests.spec.matching.test_freezing import program as freezable

ELSEWHERE = an_id("pa", "elsewhere")
HERE = Rules(earlier_partners=EarlierPartners.program)
met = PartnerMet(person=ADA, partner=OMAR, pair=ELSEWHERE)
MET: dict[str, list[Fact]] = {
    partners_stream(ADA): [met],
    partners_stream(OMAR): [PartnerMet(person=OMAR, partner=ADA, pair=ELSEWHERE)],
}


def test_a_partner_is_met_once_and_again_only_where_the_rules_let_them() -> None:
    same = Meet(person=ADA, partner=OMAR, pair=ELSEWHERE)
    other = same.model_copy(update={"pair": people.PAIR})
    given(PARTNERS).when(same, NOW).then(met)
    given(PARTNERS, met).when(same, NOW).then()
    given(PARTNERS, met).when(other, NOW).refused("ineligible")
    again = met.model_copy(update={"pair": people.PAIR})
    given(PARTNERS, met).when(other.model_copy(update={"again": True}), NOW).then(again)


@pytest.mark.guarantee("G9")
@pytest.mark.parametrize("rules", [Rules(), HERE], ids=["anywhere", "this program"])
async def test_who_were_a_pair_in_another_program_form_none_unless_the_rules_let_them(rules: Rules) -> None:
    work = world(*BOTH_ASKED)
    work.streams |= MET
    on = forming.form(PROPOSAL.fold(BOTH_ASKED), 1, 1, NOW, rules)
    if rules is HERE:
        await work.run(*on)
        assert len(work.streams[partners_stream(OMAR)]) == 2
    else:
        with pytest.raises(Refused) as refused:
            await work.run(*on)
        assert refused.value.code == "ineligible"


@pytest.mark.parametrize("who", [(ADA, OMAR), (OMAR, ADA)], ids=["as now", "the other way round"])
async def test_a_round_keeps_earlier_partners_of_any_program_apart(who: tuple[str, str]) -> None:
    work = freezable()
    work.streams[partners_stream(who[0])] = [PartnerMet(person=who[0], partner=who[1], pair=ELSEWHERE)]
    work.streams[partners_stream(who[1])] = [PartnerMet(person=who[1], partner=who[0], pair=ELSEWHERE)]
    known = await frozen(work)
    assert known.barred == [(ADA, OMAR)]
    assert ELSEWHERE not in known.model_dump_json()


async def test_only_who_is_there_is_named_and_nobody_where_the_rules_do_not_mind() -> None:
    work = freezable()
    work.streams[partners_stream(ADA)] = [PartnerMet(person=ADA, partner=an_id("pe", "gone"), pair=ELSEWHERE)]
    assert (await frozen(work)).barred == []
    work.streams |= MET
    assert await partners_of(work, [ADA], HERE) == set()
    assert await partners_of(work, [ADA], Rules()) == {(ADA, OMAR)}
    unknown = Rules(earlier_partners=EarlierPartners.unknown)
    assert await partners_of(work, [ADA], unknown) == {(ADA, OMAR)}, "a rule that is not known here lets nobody through"


@pytest.mark.parametrize("origin", [Origin.coordinator, Origin.mentor, Origin.executive])
async def test_asking_for_an_earlier_partner_is_answered_as_for_somebody_in_the_line(origin: Origin) -> None:
    told = []
    for line, met_elsewhere in (([OMAR], False), ([], True)):
        work = a_program({"line": line})
        work.streams |= MET if met_elsewhere else {}
        told.append(await weighed(work, origin))
    assert told[0] == told[1] and isinstance(told[0], str)
    work = a_program()
    work.streams |= MET
    assert isinstance(await weighed(work, origin, HERE), Judged)


def test_the_digest_of_an_input_is_what_it_was_before_there_was_this_rule() -> None:
    known = cohort([candidate("ada", 1)], [candidate("omar", 5)])
    told: dict[str, Any] = known.in_order().model_dump(mode="json")
    del told["rules"]["earlier_partners"]
    for each in (*told["mentors"], *told["executives"]):
        del each["priority"]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    assert known.digest() == hashlib.sha256(text.encode()).hexdigest()
    assert Cohort.model_validate(told) == known
    here = known.model_copy(update={"rules": HERE})
    assert here.digest() != known.digest()
