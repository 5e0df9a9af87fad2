"""Keys of the composed stack: each reader gets its own and the same again, tokens are signed, time goes forward."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from pymongo.uri_parser import parse_uri

from local import compose_keys
from local.mongod import DECIDER, PREPARE, RELAY
from local.tokens import AUDIENCE, ISSUER
from local.topics import SERVICES

PREPARING = tuple(f"{service}-prepare" for service in (*SERVICES, "outlet"))
READERS = (*SERVICES, *PREPARING, "outlet", "mongo")


@pytest.fixture
def given_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[Path, int]]:
    """Whom each file was given to, because only root may really give one away."""
    given: dict[Path, int] = {}
    monkeypatch.setattr(compose_keys, "ALL", tmp_path / "all")
    monkeypatch.setattr(compose_keys, "CLOCK", tmp_path / "clock" / "clock.json")
    monkeypatch.setattr(os, "chown", lambda path, owner, group: given.__setitem__(path, owner))
    assert compose_keys.main(["make"]) == 0
    yield given


def files(folder: Path) -> dict[str, str]:
    """Every file of every reader, by its path."""
    return {
        f"{reader}/{path.name}": path.read_text() for reader in READERS for path in sorted((folder / reader).iterdir())
    }


def test_every_file_belongs_to_its_reader_alone(given_to: dict[Path, int], tmp_path: Path) -> None:
    assert len(given_to) == 6 * len(SERVICES) + 7
    for path, owner in given_to.items():
        assert owner == (999 if path.parent.name == "mongo" else 65534)
        assert path.stat().st_mode & 0o777 == 0o600


def test_services_share_the_subject_key_and_nothing_else(given_to: dict[Path, int], tmp_path: Path) -> None:
    found = files(tmp_path)
    own = (("content", 4), ("mongo-uri", 4), ("relay-mongo-uri", 4))
    for name, different in (("subject", 1), ("jwks.json", 1), *own):
        assert len({found[f"{service}/{name}"] for service in SERVICES}) == different
    passwords = set()
    for service in SERVICES:
        for file, user in (("/mongo-uri", DECIDER), ("/relay-mongo-uri", RELAY), ("-prepare/mongo-uri", PREPARE)):
            uri = parse_uri(found[service + file])
            assert (uri["username"], uri["database"]) == (user, f"counterpoint_{service}")
            passwords.add(uri["password"])
    assert len(passwords | {found["mongo/root"]}) == 3 * len(SERVICES) + 1


def test_a_second_start_keeps_every_key(given_to: dict[Path, int], tmp_path: Path) -> None:
    before = files(tmp_path)
    assert compose_keys.main(["make"]) == 0
    assert files(tmp_path) == before


def test_tokens_are_what_the_services_recognise(
    given_to: dict[Path, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compose_keys.main(["token", "somebody"]) == 0
    key = jwt.PyJWK(json.loads((tmp_path / "insights" / "jwks.json").read_text())["keys"][0])
    claims = jwt.decode(capsys.readouterr().out.strip(), key, ["ES256"], audience=AUDIENCE, issuer=ISSUER)
    assert claims["sub"] == "somebody"


def test_time_goes_forward_by_days(given_to: dict[Path, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert compose_keys.main(["forward", "3.5"]) == 0
    ahead = datetime.fromisoformat(capsys.readouterr().out.strip()) - datetime.now(UTC)
    assert timedelta(days=3.49) < ahead <= timedelta(days=3.5)


@pytest.mark.parametrize("wrong", [[], ["token"], ["forward", "-1"], ["forward", "soon"], ["destroy"]])
def test_anything_else_is_refused(given_to: dict[Path, int], wrong: list[str]) -> None:
    assert compose_keys.main(wrong) == 2
