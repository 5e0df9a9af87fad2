"""Signatures are those of Standard Webhooks, secrets are kept so that nobody reads or swaps them, retries last days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from outlet.hooks.retrying import DELAYS, JITTER, due, is_dead
from outlet.hooks.signing import Sealing, new_secret, signature

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(body=st.text().map(str.encode))
def test_the_specifications_own_library_verifies_what_is_signed(body: bytes) -> None:
    old, new = new_secret(), new_secret()
    at = int(datetime.now(UTC).timestamp())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at)}
    headers["webhook-signature"] = signature([new, old], "msg_1", at, body)
    for secret in (old, new):
        hook = Webhook(secret)
        assert hook.sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode()) in headers["webhook-signature"]
        with pytest.raises(WebhookVerificationError):
            hook.verify(body.decode() + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body.decode(), headers)


def test_a_secret_is_kept_sealed_and_for_its_own_webhook_only() -> None:
    sealing, secret = Sealing(b"k" * 32), new_secret()
    sealed = sealing.seal("wh_1", secret)
    assert sealing.open("wh_1", sealed) == secret and secret.encode() not in sealed
    for webhook, key in (("wh_2", b"k" * 32), ("wh_1", b"x" * 32)):
        with pytest.raises(InvalidTag):
            Sealing(key).open(webhook, sealed)


@given(failures=st.integers(1, 50), chance=st.floats(0, 1))
def test_each_try_is_later_than_the_one_before_and_never_on_the_dot(failures: int, chance: float) -> None:
    wait = (due(failures, NOW, chance) - NOW).total_seconds()
    own = DELAYS[min(failures, len(DELAYS)) - 1]
    assert own <= wait <= own * (1 + JITTER) and own >= DELAYS[0]
    assert sum(DELAYS) > 86_400, "tried for days"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("7200", 7200),
        ("  60 ", 60),
        ("99999999999999999999", 86_400),
        (format_datetime(NOW + timedelta(hours=2), usegmt=True), 7200),
        (format_datetime(NOW - timedelta(hours=2), usegmt=True), 5),
        ("-5", 5),
        ("soon", 5),
        ("", 5),
        (None, 5),
    ],
)
def test_an_endpoint_that_asks_for_time_gets_it_within_reason(asked: str | None, seconds: int) -> None:
    assert (due(1, NOW, 0.0, asked) - NOW).total_seconds() == seconds


def test_nobody_is_dead_before_three_days() -> None:
    assert not is_dead(NOW, NOW + timedelta(days=2, hours=23)) and is_dead(NOW, NOW + timedelta(days=3))
