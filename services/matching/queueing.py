"""The queue: whom a published round had nobody for comes first in the next one."""

from __future__ import annotations

from chassis.deciding.decider import On
from chassis.receiving.tasks import Work
from contracts.matching import RoundPublished
from contracts.types import Side
from services.matching.cohort import Cohort
from services.matching.erasure import RESULT
from services.matching.freezing import INPUT
from services.matching.keeping import whole
from services.matching.placing import Placement
from services.matching.seat import SEAT, LeaveOver, seat_stream
from services.matching.solving import CHUNK


async def leave_over(fact: RoundPublished, work: Work) -> None:
    """Who has no pair, may have one and got none is left over. Said, sealed, once nothing is under review any more."""
    kept = [await whole(work, kind, work.scope, fact.round) for kind in (INPUT, RESULT)]
    if fact.kept or None in kept:
        return
    cohort, result = Cohort.model_validate(kept[0]), Placement.model_validate(kept[1])
    paired = {(Side.mentor, c.person) for c in cohort.mentors if c.paired}
    paired |= {(Side.executive, c.person) for c in cohort.executives if c.paired}
    command = LeaveOver(round=fact.round)
    left = [u for u in result.unplaced if u.reason == "taken" and (u.side, u.person) not in paired]
    for start in range(0, len(left), CHUNK):
        some = [On(SEAT, seat_stream(work.scope, u.person, u.side), command) for u in left[start : start + CHUNK]]
        await work.run(*some, step=f"left over {start}")
