"""Who may do what in scheduling. That it is their own pair is checked where the pair is known: in the handlers."""

from __future__ import annotations

from chassis.running.service import Policy

_PAIR = frozenset({"mentor", "executive"})
_PAIR_AND_COORDINATOR = _PAIR | {"coordinator"}

POLICY: Policy = {
    "list_journeys": _PAIR_AND_COORDINATOR,
    "get_journey": _PAIR_AND_COORDINATOR,
    "list_sessions": _PAIR_AND_COORDINATOR,
    "get_session": _PAIR_AND_COORDINATOR,
    "book_session": _PAIR,
    "move_session": _PAIR,
    "cancel_session": _PAIR,
    "hold_session": _PAIR,
    "note_learning": _PAIR,
    "get_board": _PAIR,
    "raise_idea": _PAIR,
    "commit_action": _PAIR,
    "start_action": _PAIR,
    "evidence_action": _PAIR,
    "confirm_action": frozenset({"mentor"}),
}
