"""No webhook reaches what is not public, whatever its name answers, and when; nor is it led elsewhere, or held up."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from outlet.hooks.reaching import ANSWER_BYTES, Endpoints, NotAllowed, check_url, may_be_reached
from tests.outlet.endpoint import endpoint

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
FORBIDDEN = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",  # noqa: S104
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1")


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_not_reached(address: str) -> None:
    assert not may_be_reached(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is(address: str) -> None:
    assert may_be_reached(address)


def test_a_network_that_is_allowed_is_reached_and_no_other() -> None:
    allowed = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
    assert may_be_reached("10.1.2.3", allowed) and may_be_reached("fd00::1", allowed)
    assert may_be_reached("::ffff:10.1.2.3", allowed) and not may_be_reached("192.168.0.1", allowed)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "https://", "https:///x", "https://a:b@example.com/", "//x",
        "https://u@example.com", "https://example.com/#x", "https://example.com:22/", "https://example.com:x/",
        "https://exa mple.com/", "https://example.com/\r\nX: y", "https://[::1", "https://ex\u00e4mple.com/", "",
        "https://example.com/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_url_of_an_endpoint_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        check_url(url, plain=False)


def test_what_is_one_is_not() -> None:
    for url in ("https://example.com/x?y=1", "https://example.com:8443/", "https://[2606:4700::1111]/"):
        check_url(url, plain=False)
    check_url("http://example.com/", plain=True)


class Names:
    """A resolver that answers something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.guarantee("people")
@pytest.mark.parametrize("answer", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"], []])
async def test_one_forbidden_address_of_a_name_is_enough(answer: list[str]) -> None:
    async with endpoint() as here:
        port = here.url.rsplit(":", 1)[1]
        endpoints = Endpoints(plain=True, resolve=Names(answer))
        with pytest.raises((NotAllowed, httpcore.ConnectError)):
            await endpoints.post(f"http://rebind.example:{port}", {}, b"{}")
        await endpoints.close()
        assert not here.got


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
async def test_what_can_be_no_name_is_one_that_nobody_has(host: str) -> None:
    endpoints = Endpoints()
    with pytest.raises(httpcore.ConnectError):
        await endpoints.post(f"https://{host}/", {}, b"{}")
    await endpoints.close()


@pytest.mark.guarantee("people")
async def test_a_name_that_answers_differently_later_is_checked_where_it_is_connected_to() -> None:
    async with endpoint() as here:
        port = here.url.rsplit(":", 1)[1]
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        here.reply = lambda got: (200, {"connection": "close"}, b"")
        endpoints = Endpoints([ipaddress.ip_network("127.0.0.1/32")], plain=True, resolve=names)
        assert (await endpoints.post(f"http://rebind.example:{port}", {}, b"{}")).status == 200
        assert here.got[0].headers["host"] == f"rebind.example:{port.partition('/')[0]}"
        with pytest.raises(NotAllowed):
            for _ in range(2):  # the first may go on where it was connected to
                await endpoints.post(f"http://rebind.example:{port}", {}, b"{}")
        await endpoints.close()


async def test_no_redirect_is_followed_and_nothing_waits_for_ever() -> None:
    async with endpoint() as here, endpoint() as elsewhere:
        endpoints = Endpoints(LOOPBACK, plain=True, seconds=1.0)
        here.reply = lambda got: (302, {"location": elsewhere.url}, b"")
        assert (await endpoints.post(here.url, {}, b"{}")).status == 302 and not elsewhere.got
        here.reply = lambda got: (200, {}, b"x" * 10_000_000)
        assert len((await endpoints.post(here.url, {}, b"{}")).body) == ANSWER_BYTES
        here.wait = 60.0
        with pytest.raises((TimeoutError, httpcore.TimeoutException)):
            await endpoints.post(here.url, {}, b"{}")
        await endpoints.close()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server says it is, signed by itself, and who would believe it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "certificate.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(plain + made.public_bytes(Encoding.PEM))
    serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serves.load_cert_chain(file)
    return serves, ssl.create_default_context(cadata=made.public_bytes(Encoding.PEM).decode())


async def test_the_name_in_the_url_has_to_be_in_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    serves, believes = certificate(tmp_path, "hooks.example")
    async with endpoint(serves) as here:
        port = here.url.rsplit(":", 1)[1]
        for host, trust, good in (
            ("hooks.example", believes, True),
            ("other.example", believes, False),
            ("hooks.example", None, False),
        ):
            endpoints = Endpoints(LOOPBACK, resolve=Names(["127.0.0.1"]), trust=trust)
            if good:
                assert (await endpoints.post(f"https://{host}:{port}", {}, b"{}")).status == 204
            else:
                with pytest.raises(httpcore.ConnectError):
                    await endpoints.post(f"https://{host}:{port}", {}, b"{}")
            await endpoints.close()
        assert len(here.got) == 1
