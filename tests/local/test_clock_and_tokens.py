"""The travelling clock only goes forward; tokens are signed by the stack's own key and keep real time."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from local import clock
from local.tokens import AUDIENCE, ISSUER, jwks_file, mint


def test_the_clock_moves_forward_by_what_was_asked(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock.advance(file, timedelta(days=30))
    now = clock.advance(file, timedelta(hours=1, milliseconds=1))
    assert json.loads(file.read_text()) == {"offset_ms": 30 * 86_400_000 + 3_600_001}
    assert abs(now - datetime.now(UTC) - timedelta(days=30, hours=1)) < timedelta(seconds=5)
    assert [path.name for path in tmp_path.iterdir()] == ["clock.json"]


def test_the_clock_never_goes_back(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock.advance(file, timedelta(days=1))
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(file, timedelta(seconds=-1))
    assert clock.offset(file) == timedelta(days=1)


def read(data: Path, token: str) -> dict[str, object]:
    key = jwt.PyJWK(json.loads(jwks_file(data).read_text())["keys"][0])
    return jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)


def test_a_token_is_read_with_the_published_key(tmp_path: Path) -> None:
    claims = read(tmp_path, mint(tmp_path, "ada", {"roles": ["mentor"]}))
    assert (claims["sub"], claims["roles"]) == ("ada", ["mentor"])
    assert (tmp_path / "keys" / "issuer.pem").stat().st_mode & 0o077 == 0


def test_another_stacks_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        read(tmp_path / "one", mint(tmp_path / "two", "ada"))


def test_a_negative_lifetime_gives_an_expired_token(tmp_path: Path) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        read(tmp_path, mint(tmp_path, "ada", lifetime=timedelta(minutes=-5)))
