"""bittorrent-tracker's npm client, which WebTorrent and p2p-media-loader use, works with this tracker unchanged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT, ServerProcess

SCRIPT = Path(__file__).with_name("bittorrent_client.mjs")
CHECKS = 11


@pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / "node_modules" / "bittorrent-tracker").is_dir(),
    reason="needs node and `npm ci`",
)
def test_its_client_announces_meets_and_scrapes(server: ServerProcess) -> None:
    done = subprocess.run(
        ["node", str(SCRIPT), f"{server.ws_base}/announce"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == CHECKS
