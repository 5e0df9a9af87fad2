"""Who may do what in matching. Whether a thing is the caller's own is checked where it is read."""

from __future__ import annotations

from chassis.running.service import ANYONE, Policy

_COORDINATOR = frozenset({"coordinator"})
_ANYONE = frozenset({ANYONE})

POLICY: Policy = {
    "open_round": _COORDINATOR,
    "show_round": _COORDINATOR,
    "verify_round": _COORDINATOR,
    "list_proposals": _COORDINATOR,
    "show_feasibility": _COORDINATOR,
    "explain_round": _COORDINATOR,
    "show_objectives": _COORDINATOR,
    "why_pair": _ANYONE,
    "why_proposal": _ANYONE,
    "review_proposal": _COORDINATOR,
    "price_swap": _COORDINATOR,
    "swap_proposals": _COORDINATOR,
    "price_pick": _COORDINATOR,
    "pick_pair": _COORDINATOR,
    "list_open_places": _COORDINATOR,
    "approve_rest": _COORDINATOR,
    "publish_round": _COORDINATOR,
    "ask_for_pair": _ANYONE,  # one they would be in; others a coordinator only
    "my_asks": _ANYONE,
    "solve_round": _COORDINATOR,
    "abandon_round": _COORDINATOR,
    "my_proposals": _ANYONE,
    "answer_consent": _ANYONE,
    "list_pairs": _ANYONE,
    "show_pair": _ANYONE,
    "leave_pair": _ANYONE,  # whoever is in it, also when they no longer take part
    "end_pair": _COORDINATOR,
    "my_exclusions": _ANYONE,  # one's own, for coordinators too
    "exclude_person": _ANYONE,
    "lift_exclusion": _ANYONE,
}
