"""How a process reaches Kafka: the brokers' address, and with it who it is there and whom it trusts."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Self

MECHANISM = "SCRAM-SHA-512"


class Access(str):
    """The address of the brokers, as anybody would give it, that also knows how its bearer is let in.

    Wherever an address is wanted a plain one will do, for brokers that ask nobody who they are. With `user` the client
    says who it is by SCRAM-SHA-512; with `ca` it speaks TLS, and trusts what that file's authorities have signed.
    """

    user: str | None
    password: str
    ca: Path | None

    def __new__(cls, address: str, user: str | None = None, password: str = "", ca: Path | None = None) -> Self:
        made = super().__new__(cls, address)
        made.user, made.password, made.ca = user, password, ca
        return made

    def trust(self) -> ssl.SSLContext | None:
        """What judges the brokers' certificates; None without TLS. Raises OSError where the file cannot be read."""
        return ssl.create_default_context(cafile=str(self.ca)) if self.ca else None


def client(address: str) -> dict[str, Any]:
    """The arguments with which any client of aiokafka reaches that address."""
    if not isinstance(address, Access):
        return {"bootstrap_servers": address}
    trust = address.trust()
    known = {
        "sasl_mechanism": MECHANISM,
        "sasl_plain_username": address.user,
        "sasl_plain_password": address.password,
    }
    return {
        "bootstrap_servers": str(address),
        "security_protocol": ("SASL_" if address.user else "") + ("SSL" if trust else "PLAINTEXT"),
        "ssl_context": trust,
        **(known if address.user else {}),
    }
