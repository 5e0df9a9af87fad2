"""Signatures of what is delivered, by the Standard Webhooks specification 1.0; secrets, and how they are kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "whsec_"
BYTES = 32


def new_secret() -> str:
    """A secret as its owner sees it, once."""
    return PREFIX + base64.b64encode(os.urandom(BYTES)).decode()


def signature(secrets: Iterable[str], id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret that is good at the moment."""
    signed = f"{id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(PREFIX)) for secret in secrets)
    return " ".join("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)


class Sealing:
    """Keeps secrets under AES-GCM; whose they are is authenticated with them, so that none can be swapped."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key[:32])

    def seal(self, webhook: str, secret: str) -> bytes:
        """The secret of a webhook as it is kept."""
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), webhook.encode())

    def open(self, webhook: str, sealed: bytes) -> str:
        """The secret again. Raises where it was changed, or is another webhook's."""
        return self._cipher.decrypt(sealed[:12], sealed[12:], webhook.encode()).decode()
