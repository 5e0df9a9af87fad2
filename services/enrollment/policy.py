"""Who may do what in enrollment: operation to the roles of which one is enough."""

from chassis.running.service import ANYONE, FOUNDER, TOKEN, Policy

_COORDINATOR = frozenset({"coordinator"})
_ANYONE = frozenset({ANYONE})

POLICY: Policy = {
    "open_program": frozenset({FOUNDER}),
    "my_programs": frozenset({TOKEN}),
    "show_program": _ANYONE,
    "grant_role": _COORDINATOR,
    "import_roster": _COORDINATOR,
    "invite": _COORDINATOR,
    "list_invitations": _COORDINATOR,
    "my_invitations": _ANYONE,
    "answer_invitation": _ANYONE,
    "enrol": _ANYONE,
    "accept_charter": _ANYONE,
    "declare_availability": _ANYONE,
    "declare_capacity": _ANYONE,
    "revise_profile": _ANYONE,
    "arrange_pause": _ANYONE,
    "call_off_pause": _ANYONE,
    "withdraw": _ANYONE,
    "list_participations": _COORDINATOR,
    "my_participation": _ANYONE,
    "request_erasure": _ANYONE,  # of oneself; of others, coordinators
    "show_erasure": _ANYONE,
}
