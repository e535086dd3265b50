"""deploy/ and docker/: each file is taken by the program it is for, and the proxies pass what they should.

Containers cannot run where this is tested: of them only the files are looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from peerpool.ice_advice import Finding
from peerpool.ice_check import check, turn_targets
from peerpool.settings import Settings, load_settings

from e2e.harness.child import Child, free_port, listens
from e2e.harness.coturn import SECRET
from tests.servers import ROOT, ServerProcess, receive, running_server, send

DEPLOY, DOCKER = ROOT / "deploy", ROOT / "docker"
ADMIN = "the operator's token"
CONTENT, SESSION = "c" * 40, "0123456789abcdef"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


def test_the_example_settings_are_settings(tmp_path: Path) -> None:
    text = (DEPLOY / "peerpool.toml").read_text()
    assert load_settings(DEPLOY / "peerpool.toml", {}).stun_listen == ["0.0.0.0"]
    # What is commented out is an example too: words of it are, and remarks are not.
    lines = [line.removeprefix("# ") if re.match(r"# (\w+ = |\[\[)", line) else line for line in text.splitlines()]
    whole = tmp_path / "peerpool.toml"
    whole.write_text("\n".join(lines))
    settings = load_settings(whole, {})
    assert settings.turn
    assert settings.geoip_databases


@needs("systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "peerpool.service"
    text = (DEPLOY / "peerpool.service").read_text()
    unit.write_text(text.replace("/opt/peerpool/bin/peerpool", str(Path(sys.executable).with_name("peerpool"))))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    complaints = [line for line in found.stderr.splitlines() if "peerpool" in line]
    assert (found.returncode, complaints) == (0, []), found.stderr
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit)]
    rating = subprocess.run(security, capture_output=True, text=True, check=False)
    assert rating.returncode == 0, rating.stdout[-400:]


@contextlib.contextmanager
def proxied(tmp_path: Path, command: list[str], port: int, tracker: ServerProcess) -> Iterator[ServerProcess]:
    """Run a proxy, and say that the tracker is behind it."""
    proxy = Child("proxy", command, tmp_path / "proxy.log", {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)})
    proxy.start()
    try:
        proxy.wait_ready(lambda: listens(port), timeout_s=20)
        yield ServerProcess(tracker.process, f"http://127.0.0.1:{port}")
    finally:
        proxy.stop()


def nginx(tmp_path: Path, tracker_port: str) -> tuple[list[str], int]:
    """Return how to run nginx with our file, without TLS and on a port of ours, after it has tested that."""
    port = free_port()
    ours = (DEPLOY / "nginx.conf").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{tracker_port}")
    ours = re.sub(r"\n\s*(ssl_\w+ .*|listen \[::\].*)", "", ours).replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    folders = "".join(
        f"{name}_temp_path {tmp_path / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = tmp_path / "nginx.conf"
    whole.write_text(
        f"daemon off;\npid {tmp_path / 'nginx.pid'};\nerror_log stderr;\nevents {{ }}\n"
        f"http {{\naccess_log off;\n{folders}{ours}\n}}\n"
    )
    command = ["nginx", "-c", str(whole), "-p", str(tmp_path)]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    return command, port


def caddy(tmp_path: Path, tracker_port: str) -> tuple[list[str], int]:
    """Return how to run Caddy with our file, without TLS and on a port of ours."""
    port = free_port()
    ours = (DEPLOY / "Caddyfile").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{tracker_port}")
    whole = tmp_path / "Caddyfile"
    whole.write_text(f"{{\n\tadmin off\n}}\n{ours.replace('tracker.example {', f'http://127.0.0.1:{port} {{')}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(whole)], port


def place_of(tracker: ServerProcess, peer: str) -> Any:
    found = httpx.get(f"{tracker.base}/api/peers/{peer}", headers={"Authorization": f"Bearer {ADMIN}"}, trust_env=False)
    return found.raise_for_status().json()["place"]


@pytest.mark.parametrize(
    "proxy",
    [pytest.param(nginx, marks=needs("nginx"), id="nginx"), pytest.param(caddy, marks=needs("caddy"), id="caddy")],
)
def test_a_proxy_passes_pages_sockets_and_addresses(tmp_path: Path, proxy: Any) -> None:
    sites = tmp_path / "map.csv"
    sites.write_text("network,country\n127.0.0.0/8,DE\n203.0.113.0/24,FR\n")
    settings = {
        "site_map": str(sites),
        "admin_token": ADMIN,
        "stun": "true",
        "stun_port": "0",
        "stun_alternate_port": "0",
    }
    with running_server(**settings) as tracker:
        command, port = proxy(tmp_path, tracker.base.rpartition(":")[2])
        with proxied(tmp_path, command, port, tracker) as shown:
            assert "PeerPool" in httpx.get(f"{shown.base}/demo", trust_env=False).raise_for_status().text
            script = httpx.get(f"{shown.base}/peerpool.js", trust_env=False).raise_for_status()
            assert script.headers["content-encoding"] == "gzip"
            assert httpx.get(f"{shown.base}/healthz", trust_env=False).json() == {"alive": True}
            # What a client says of itself is nothing to go by; what the proxy says of it is.
            liar = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"}
            with shown.native(headers=liar) as client:
                send(client, type="join", content=CONTENT, session=SESSION)
                welcome = receive(client, "welcome")
                assert "DE" in str(place_of(tracker, welcome["peer"]))
                assert all(url.startswith("stun:127.0.0.1:") for url in welcome["ice_servers"][0]["urls"])
            with tracker.native(headers=liar) as client:  # as a proxy that is trusted: the difference is the proxy's
                send(client, type="join", content=CONTENT, session=SESSION)
                assert "FR" in str(place_of(tracker, receive(client, "welcome")["peer"]))


@needs("caddy")
@pytest.mark.parametrize("file", [DEPLOY / "Caddyfile", DOCKER / "Caddyfile"], ids=["deploy", "docker"])
def test_caddy_takes_its_files_as_they_are(tmp_path: Path, file: Path) -> None:
    env = {**os.environ, "TRACKER_HOST": "tracker.example", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(file)]
    subprocess.run(command, env=env, check=True, capture_output=True)


@needs("turnserver")
def test_turnserver_relays_by_its_file_and_to_nobodys_networks(tmp_path: Path) -> None:
    port, conf = free_port(), tmp_path / "turnserver.conf"
    # The bed's relays are on loopback, which the file denies.
    conf.write_text((DOCKER / "turnserver.conf").read_text().replace("denied-peer-ip=127.0.0.0-127.255.255.255\n", ""))
    here = ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers", f"--listening-port={port}"]
    here += [f"--tls-listening-port={free_port()}", f"--pidfile={tmp_path / 'pid'}", f"--userdb={tmp_path / 'db'}"]
    given = [f"--static-auth-secret={SECRET}", "--realm=turn.example"]
    server = Child("turnserver", ["turnserver", "-c", str(conf), *here, *given], tmp_path / "turnserver.log")
    server.start()
    found: list[Finding] = []
    try:
        server.wait_ready(lambda: listens(port), timeout_s=20)
        urls = [f"turn:127.0.0.1:{port}?transport={transport}" for transport in ("udp", "tcp")]
        asyncio.run(check([], turn_targets(urls, SECRET), found.append))
    finally:
        server.stop()
    assert [finding.text for finding in found if finding.advice] == []
    assert "Bad configuration format" not in server.log.read_text()
    # Among them that nobody's networks are out of reach, each asked by itself.
    assert len(found) > 2 * len(urls)


def test_the_compose_file_is_of_one_piece(tmp_path: Path) -> None:
    """What `docker compose config` would see, as far as it can be seen without it."""
    text = (DOCKER / "compose.yaml").read_text()
    named = set(re.findall(r"^(\w+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", text)) == named
    compose = yaml.safe_load(text)
    services = compose["services"]
    for service in services.values():
        assert ("image" in service) != ("build" in service)
        assert set(service.get("depends_on", [])) <= set(services)
        assert set(service.get("networks", [])) <= set(compose["networks"])
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source.startswith("$") or source in compose["volumes"] or (DOCKER / source).is_file(), (
                f"{volume} is from nowhere"
            )
    build = services["tracker"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
    values = {"TRACKER_HOST": "tracker.example", "TURN_HOST": "turn.example", "TURN_SECRET": "secret"}
    environment = {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: values[found[1]], value)
        for name, value in services["tracker"]["environment"].items()
    }
    settings: Settings = load_settings(None, environment)
    assert settings.public_hosts == ["tracker.example"]
    # coturn and the tracker are on one machine: no port is both's.
    conf = (DOCKER / "turnserver.conf").read_text()
    theirs = {found[1] for found in re.finditer(r"^(?:tls-)?listening-port=(\d+)", conf, re.MULTILINE)}
    ours = {port.partition(":")[0] for service in services.values() for port in service.get("ports", [])}
    assert not theirs & ours
    assert {url.rpartition(":")[2].partition("?")[0] for url in settings.turn[0].urls} == theirs


def test_the_dockerfile_copies_what_there_is_and_runs_what_we_have() -> None:
    text = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text())
    copied = [shlex.split(line)[1:-1] for line in text.splitlines() if re.match(r"COPY (?!--from)", line)]
    sources = [source for line in copied for source in line]
    assert sources
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, f"{source} is not in the build's context"
    assert json.loads(next(line for line in text.splitlines() if line.startswith("CMD")).removeprefix("CMD")) == [
        "serve"
    ]
    assert signal.Signals[re.findall(r"^STOPSIGNAL (\w+)", text, re.MULTILINE)[0]] is signal.SIGTERM
