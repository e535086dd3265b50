"""`peerpool ice check` against our own STUN server and Debian's coturn, set up well and badly."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from peerpool import cli
from peerpool.core.errors import ConfigError
from peerpool.ice_advice import Finding
from peerpool.ice_check import check, parse_endpoint, stun_targets, turn_targets
from peerpool.settings import Settings
from peerpool.stun import StunServer

from e2e.harness.coturn import SECRET, Coturn

needs_coturn = pytest.mark.skipif(shutil.which("turnserver") is None, reason="needs turnserver")
REST = ["--use-auth-secret", f"--static-auth-secret={SECRET}"]


@contextlib.contextmanager
def running(folder: Path, *options: str, denied: list[str] | None = None) -> Iterator[Coturn]:
    coturn = Coturn(folder, options) if denied is None else Coturn(folder, options, denied)
    coturn.start()
    try:
        yield coturn
    finally:
        coturn.stop()


def findings(urls: list[str], secret: str = SECRET) -> list[Finding]:
    found: list[Finding] = []
    asyncio.run(check([], turn_targets(urls, secret), found.append))
    return [finding for finding in found if not finding.is_title]


def wrong(urls: list[str], secret: str = SECRET) -> list[str]:
    return [f"{one.text}\n{one.advice}" for one in findings(urls, secret) if one.advice]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return files with a certificate of localhost, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@needs_coturn
def test_a_good_server_passes_over_udp_tcp_and_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = make_certificate(tmp_path)
    with running(tmp_path, *REST, f"--cert={certificate}", f"--pkey={key}") as coturn:
        urls = [coturn.url(transport) for transport in ("udp", "tcp", "tls")]
        assert any("certificate" in text for text in wrong(urls[2:]))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        found = findings(urls)
    assert [one for one in found if one.advice] == []
    assert [one.text for one in found].count("bytes pass from one relay to another") == 3
    assert [one.text for one in found].count("a credential of another secret is refused") == 3


@needs_coturn
def test_a_secret_that_differs_is_said_to(tmp_path: Path) -> None:
    with running(tmp_path, *REST) as coturn:
        (text,) = wrong([coturn.url()], "another")
    assert "401" in text
    assert "static-auth-secret" in text


@needs_coturn
def test_a_server_that_lets_anybody_in_is_told_of(tmp_path: Path) -> None:
    with running(tmp_path, "--no-auth") as coturn:
        texts = wrong([coturn.url()])
    assert sum("anybody may relay" in text for text in texts) == 2


@needs_coturn
def test_a_server_that_reaches_its_own_network_is_told_of_with_the_ranges(tmp_path: Path) -> None:
    with running(tmp_path, *REST, denied=["10.0.0.0-10.255.255.255"]) as coturn:
        texts = wrong([coturn.url()])
    ranges = [found[1] for text in texts if (found := re.search(r"denied-peer-ip=(\S+?)-", text))]
    assert ranges == ["172.16.0.0", "192.168.0.0", "169.254.0.0", "100.64.0.0"]


@needs_coturn
@pytest.mark.parametrize(("external", "said"), [("10.9.9.9", "external-ip"), ("93.184.1.1", "min-port")])
def test_relays_that_cannot_be_reached_are_told_of(tmp_path: Path, external: str, said: str) -> None:
    with running(tmp_path, *REST, f"--external-ip={external}", denied=[]) as coturn:
        texts = wrong([coturn.url()])
    assert any(said in text for text in texts)


@needs_coturn
def test_quotas_that_are_too_small_are_told_of(tmp_path: Path) -> None:
    with running(tmp_path, *REST, "--total-quota=1") as coturn:
        texts = wrong([coturn.url()])
    assert any("486" in text and "total-quota" in text for text in texts)


@needs_coturn
def test_what_speaks_no_tls_is_told_of(tmp_path: Path) -> None:
    with running(tmp_path, *REST, "--no-tls") as coturn:
        (text,) = wrong([f"turns:localhost:{coturn.port}"])
    assert "does not speak TLS" in text


def test_stun_is_asked_at_each_port_and_a_mute_one_told_of() -> None:
    async def tried() -> list[Finding]:
        found: list[Finding] = []
        server = StunServer(["127.0.0.1"], 0, 0)
        await server.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            servers = [("127.0.0.1", port) for port in (*server.bind(), mute.getsockname()[1])]
            await check(servers, [], found.append)
        server.close()
        return found

    title, first, second, third, mapping = asyncio.run(tried())
    assert title.lines() == ["STUN"]
    assert all("sees this machine as 127.0.0.1" in one.text for one in (first, second))
    assert "does not answer" in third.text
    assert "none" in mapping.text


def test_the_command_ends_with_1_where_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ice", "check", "--turn", "turn:127.0.0.1:9?transport=tcp", "--secret", "x"]) == 1
    assert "nothing listens there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--turn", "turn:a"], "needs the secret"),
        (["--turn", "stun:a", "--secret", "x"], "no URL of TURN"),
        (["--turn", "http://a", "--secret", "x"], "no URL of STUN or TURN"),
        (["--stun", "a b"], "no URL of STUN or TURN"),
        (["--turn", "turn:a", "--secret-file", "/nowhere"], "cannot read /nowhere"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ice", "check", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_servers_are_those_that_members_are_told_of() -> None:
    settings = Settings(public_hosts=["stun.example"], ice_servers=[{"urls": ["stun:other.example", "turn:x"]}])
    assert stun_targets(settings) == [("stun.example", 3478), ("stun.example", 3479), ("other.example", 3478)]
    assert stun_targets(Settings(host="0.0.0.0", stun_alternate_port=0)) == [("127.0.0.1", 3478)]
    assert stun_targets(Settings(stun=False)) == []
    assert parse_endpoint("[2001:db8::1]:7") == ("2001:db8::1", 7)


def test_nothing_to_try_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="nothing to try"):
        asyncio.run(check([], [], lambda _: None))
