"""Who may do what in insights: each operation, and the roles of which one is enough."""

from __future__ import annotations

from chassis.running.service import Policy

POLICY: Policy = {
    "give_pulse": frozenset({"mentor", "executive"}),
    "raise_insight": frozenset({"mentor", "executive"}),
    "publish_report": frozenset({"coordinator"}),
    "pairs_needing_attention": frozenset({"coordinator"}),
    "list_reports": frozenset({"coordinator", "sponsor"}),
    "read_report": frozenset({"coordinator", "sponsor"}),
}
