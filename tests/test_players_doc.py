"""docs/players.md: its blocks are what e2e/players runs; here, that none is missing and that they are of today."""

from __future__ import annotations

import json
import re

import pytest

from e2e.harness.child import REPOSITORY
from e2e.players.matrix import PLAYERS, Player
from e2e.players.pages import DOCUMENT, NPM, STREAMS, TAG, block, blocks


def suffixes(player: Player) -> set[str]:
    return {".mpd" if stream.startswith("dash") else ".m3u8" for stream in player.streams.values()}


@pytest.mark.parametrize("player", PLAYERS, ids=lambda player: player.name)
def test_a_player_has_a_page_with_the_tag_first_and_a_module_that_attaches_it(player: Player) -> None:
    for suffix in suffixes(player):
        page, module = block(player.heading, "html", suffix), block(player.heading, "js", suffix)
        assert page.startswith(TAG)
        assert "PeerPool" not in page.removeprefix(TAG), "the tag is all that a page with a global needs"
        assert module.count("PeerPool.attach(") == 1
        assert module.index("PeerPool.attach(") < module.index(STREAMS[suffix]), "before its source"


def test_blocks_name_the_versions_that_are_tested() -> None:
    tested = json.loads((REPOSITORY / "package.json").read_text())["devDependencies"]
    named = re.findall(r"cdn\.jsdelivr\.net/npm/([\w.-]+)@([\d.]+)/", DOCUMENT.read_text())
    assert len(named) == len(NPM.findall(DOCUMENT.read_text())) >= len({player.heading for player in PLAYERS})
    assert dict(named) == {name: tested[name] for name, _ in named}


def test_the_line_for_files_is_the_one_that_docs_files_has() -> None:
    files = (REPOSITORY / "docs" / "files.md").read_text()
    [shown] = blocks("Files in `<video>`", "html")
    assert [line for line in shown.splitlines() if line not in files] == []
