"""The local stack's own issuer: an ES256 key made in its data directory, its JWKS, and bearer tokens signed by it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from jwt.algorithms import ECAlgorithm

from local.files import write, write_private

ISSUER = "urn:counterpoint:local"
AUDIENCE = "counterpoint"
_KEY_ID = "local"


def jwks_file(data: Path) -> Path:
    """The public key in JWKS form; key and file are made the first time."""
    path = data / "jwks.json"
    if not path.exists():
        public = ECAlgorithm.to_jwk(_key(data).public_key(), as_dict=True)
        write(path, json.dumps({"keys": [{**public, "kid": _KEY_ID, "alg": "ES256", "use": "sig"}]}))
    return path


def mint(
    data: Path,
    subject: str,
    claims: Mapping[str, Any] | None = None,
    lifetime: timedelta = timedelta(hours=12),
) -> str:
    """A bearer token for the subject; tokens keep real time, whatever the travelling clock says.

    A negative lifetime gives one that has expired.
    """
    now = datetime.now(UTC)
    body = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "nbf": now, "exp": now + lifetime}
    if lifetime < timedelta():
        body |= {"iat": now + 2 * lifetime, "nbf": now + 2 * lifetime}
    return jwt.encode({**body, **(claims or {})}, _key(data), algorithm="ES256", headers={"kid": _KEY_ID})


def _key(data: Path) -> ec.EllipticCurvePrivateKey:
    path = data / "keys" / "issuer.pem"
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        write_private(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
