"""`peerpool doctor` on healthy and on ill trackers: real servers, a real Redis, real files."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from peerpool import cli
from peerpool.doctor import examine
from peerpool.settings import Settings

from e2e.harness.child import free_port
from e2e.harness.redis_server import RedisServer
from tests.databases import provider, write_mmdb
from tests.servers import running_server

ADMIN = "a token of the operator"
SITES = '[[site]]\nid = "news"\norigins = ["https://news.example"]\ntokens = "optional"\n'


def found(settings: Settings, url: str = "") -> dict[str, str]:
    """Return what is said, with the advice where there is any."""
    return {finding.text: finding.advice for finding in examine(settings, url)}


def healthy(folder: Path, **more: Any) -> Settings:
    (folder / "sites.toml").write_text(SITES)
    database = write_mmdb(folder / "asn.mmdb", {"192.0.2.0/24": provider(1)})
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": free_port(),
        "stun": False,
        "sites": str(folder / "sites.toml"),
        "admin_token": ADMIN,
        "history": str(folder / "history.db"),
        "history_max_mb": 1,
        "geoip_databases": [str(database)],
        "max_connections": 100,
    }
    return Settings(**{**values, **more})


def test_nothing_is_wrong_with_what_is_well(tmp_path: Path) -> None:
    said = found(healthy(tmp_path))
    assert {text: advice for text, advice in said.items() if advice and "clock" not in text} == {}
    assert any(text.startswith("1 sites in") for text in said)
    assert any("Test of 0 days ago" in text for text in said)
    assert any("history.db, 0.0 of 1 MB" in text for text in said)


def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"no database")
    old = write_mmdb(tmp_path / "old.mmdb", {"192.0.2.0/24": provider(1)})
    now_s = time.time()
    monkeypatch.setattr("peerpool.doctor.time.time", lambda: now_s + 366 * 86_400 + 60)
    (tmp_path / "bad.toml").write_text("site = 3")
    (tmp_path / "history.db").write_text("no database, and long enough to be looked at" * 30)
    said = found(
        healthy(
            tmp_path,
            admin_token="short",
            sites=str(tmp_path / "bad.toml"),
            geoip_databases=[str(broken), str(old), str(tmp_path / "none.mmdb")],
            site_map=str(tmp_path / "none.csv"),
            max_connections=1_000_000,
        )
    )
    for expected in (
        "sites: ",
        "`admin_token` has 5 characters",
        f"{broken}: ",
        "of 366 days ago",
        f"{tmp_path / 'none.mmdb'}",
        f"site_map: {tmp_path / 'none.csv'} is not there",
        "history.db cannot be used",
        "WebSockets of 1000000",
    ):
        matching = [advice for text, advice in said.items() if expected in text]
        assert matching, (expected, said)
        assert all(matching), expected


def test_an_open_tracker_is_told_of(tmp_path: Path) -> None:
    said = found(healthy(tmp_path, sites="", admin_token="", history="", geoip_databases=[]))
    assert said["the tracker is open: anybody may join any swarm"]
    assert "no `admin_token`: dashboard and API are off" in said


def test_a_port_that_somebody_has_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken, socket.socket(type=socket.SOCK_DGRAM) as heard:
        taken.bind(("127.0.0.1", 0))
        heard.bind(("127.0.0.1", 0))
        port, stun_port = taken.getsockname()[1], heard.getsockname()[1]
        said = found(healthy(tmp_path, port=port, stun=True, stun_port=stun_port, stun_alternate_port=0))
    assert "ss -lnp" in said[f"127.0.0.1 TCP port {port}: Address already in use"]
    assert said[f"127.0.0.1 UDP port {stun_port}: Address already in use"]
    assert said["127.0.0.1 UDP port 0: free"] == ""


def test_a_tracker_that_runs_is_looked_at_from_outside(tmp_path: Path) -> None:
    with running_server(admin_token=ADMIN) as running:
        port = int(running.base.rpartition(":")[2])
        said = found(healthy(tmp_path, port=port), running.base)
    assert said[f"127.0.0.1 port {port}: a tracker runs there, and is ready"] == ""
    assert said["WebSockets reach it"] == ""
    assert said["it takes this machine to be at 127.0.0.1"] == ""


def test_a_token_that_is_not_the_trackers_is_told_of(tmp_path: Path) -> None:
    with running_server(admin_token="another token of one") as running:
        assert found(healthy(tmp_path), running.base)["/api/self answers 401"]


def test_what_is_behind_no_proxy_or_no_url_is_told_of(tmp_path: Path) -> None:
    said = found(healthy(tmp_path), f"http://127.0.0.1:{free_port()}")
    assert said["/readyz: nothing answers"]
    assert found(healthy(tmp_path), "tracker.example")["tracker.example is no http(s) URL"]


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[str]:
    """Serve TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    plain, _ = listener.accept()
                except TimeoutError:
                    continue
                with plain:
                    try:
                        context.wrap_socket(plain, server_side=True).close()
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}"
        ended.set()
        thread.join()


def test_a_certificate_that_browsers_refuse_is_told_of(tmp_path: Path, self_signed: str) -> None:
    said = found(healthy(tmp_path), self_signed)
    assert any(text.startswith("TLS: self-signed") and advice for text, advice in said.items()), said


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs redis-server")
def test_redis_is_asked(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        said = found(healthy(tmp_path, redis_url=server.url))
        assert any(text.startswith("Redis ") and "answers" in text and not advice for text, advice in said.items())
    finally:
        server.stop()
    said = found(healthy(tmp_path, redis_url=server.url))
    assert any(text.startswith("Redis does not answer") and advice for text, advice in said.items())


def test_the_command_ends_with_how_much_there_is_to_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peerpool.doctor._clock", lambda: next(examine(Settings())))  # whatever this machine's is
    (tmp_path / "sites.toml").write_text(SITES)
    config = tmp_path / "peerpool.toml"
    rest = f"port = {free_port()}\nstun = false\nmax_connections = 50\n"
    config.write_text(f'{rest}sites = "{tmp_path / "sites.toml"}"\n')
    assert cli.main(["doctor", "--config", str(config)]) == 0
    assert capsys.readouterr().out.endswith("nothing to mend\n")
    config.write_text(rest)
    assert cli.main(["doctor", "--config", str(config)]) == 1
    assert "WRONG" in (said := capsys.readouterr().out)
    assert said.endswith("1 to mend\n")
    assert os.linesep not in said.splitlines()[-1]
