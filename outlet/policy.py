"""Who may do what at the outlet: each operation, and the roles of which one is enough. Nobody else may do anything."""

from __future__ import annotations

from chassis.running.service import Policy

SUBSCRIBER = "subscriber"
"""A subject that the settings name, with a token whose claims, where they name roles at all, name this one."""

POLICY: Policy = {
    "read_facts": frozenset({SUBSCRIBER}),
    "add_webhook": frozenset({SUBSCRIBER}),
    "list_webhooks": frozenset({SUBSCRIBER}),
    "read_webhook": frozenset({SUBSCRIBER}),
    "verify_webhook": frozenset({SUBSCRIBER}),
    "pause_webhook": frozenset({SUBSCRIBER}),
    "resume_webhook": frozenset({SUBSCRIBER}),
    "rotate_secret": frozenset({SUBSCRIBER}),
    "remove_webhook": frozenset({SUBSCRIBER}),
    "list_deliveries": frozenset({SUBSCRIBER}),
    "replay_deliveries": frozenset({SUBSCRIBER}),
    "drop_delivery": frozenset({SUBSCRIBER}),
}
