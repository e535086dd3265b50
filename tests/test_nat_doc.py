"""docs/nat.md: its coturn is one that `peerpool ice check` finds nothing wrong with, its settings are ours."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest
from peerpool.ice_advice import Finding
from peerpool.ice_check import check, turn_targets
from peerpool.settings import load_settings

from e2e.harness.child import REPOSITORY
from e2e.harness.coturn import DENIED, SECRET, Coturn

DOCUMENT = (REPOSITORY / "docs" / "nat.md").read_text(encoding="utf-8")
# What is of the operator's machine; loopback, ports and certificates are the test bed's.
OF_THE_MACHINE = (
    "realm=",
    "static-auth-secret=",
    "listening-port=",
    "tls-listening-port=",
    "cert=",
    "pkey=",
    "external-ip=",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize("text", blocks("toml"))
def test_its_settings_are_settings(tmp_path: Path, text: str) -> None:
    file = tmp_path / "peerpool.toml"
    file.write_text(text, encoding="utf-8")
    assert load_settings(file, {})


@pytest.mark.skipif(shutil.which("turnserver") is None, reason="needs turnserver")
def test_its_coturn_passes(tmp_path: Path) -> None:
    [conf] = blocks("ini")
    lines = [line for line in conf.splitlines() if not line.startswith(OF_THE_MACHINE) and line != "no-cli"]
    options = [f"--{line}" for line in lines if not line.startswith("#")]
    coturn = Coturn(tmp_path, [*options, f"--static-auth-secret={SECRET}"], denied=[])
    coturn.start()

    found: list[Finding] = []
    try:
        asyncio.run(check([], turn_targets([coturn.url("udp"), coturn.url("tcp")], SECRET), found.append))
    finally:
        coturn.stop()
    assert len(found) == 12
    assert [finding for finding in found if finding.advice] == []


def test_the_test_bed_denies_what_it_says_is_to_be_denied() -> None:
    [conf] = blocks("ini")
    assert set(DENIED) < set(re.findall(r"denied-peer-ip=(\S+)", conf))
