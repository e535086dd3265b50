"""Pages of the players, taken out of docs/players.md: what a site would copy is what is run."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from e2e.harness.child import REPOSITORY
from e2e.harness.page_server import SCRIPT, File, PageServer

Mode = Literal["automatic", "explicit", "interceptor"]

DOCUMENT = REPOSITORY / "docs" / "players.md"
TRACKER = "https://tracker.example"
# What the document's pages play, by the ending of its name.
STREAMS = {".m3u8": "https://cdn.example/live/master.m3u8", ".mpd": "https://cdn.example/live/manifest.mpd"}
TYPES = {".m3u8": "application/x-mpegURL", ".mpd": "application/dash+xml"}
NPM = re.compile(r"https://cdn\.jsdelivr\.net/npm/([\w.-]+)@[\d.]+/([\w./-]+)")
TAG = f'<script src="{TRACKER}/peerpool.js"></script>\n'
# VHS takes no rendition that is larger than its player.
STYLE = "<style>video, .video-js { width: 720px; height: 405px }</style>"


def blocks(heading: str, language: Literal["html", "js"]) -> list[str]:
    """Return the code blocks of one language below a heading of the document, in order."""
    text = DOCUMENT.read_text()
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/players.md has no section {heading}"
    return re.findall(rf"^```{language}\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)


def block(heading: str, language: Literal["html", "js"], suffix: str = ".m3u8") -> str:
    """Return the block that plays streams of that ending; one that plays HLS plays DASH with another URL and type."""
    for known in (suffix, ".m3u8"):
        found = [text for text in blocks(heading, language) if STREAMS[known] in text]
        if found:
            assert len(found) == 1, f"{heading} has {len(found)} blocks of {language} that play {STREAMS[known]}"
            return found[0].replace(STREAMS[known], STREAMS[suffix]).replace(TYPES[known], TYPES[suffix])
    raise AssertionError(f"{heading} has no block of {language}")


class PlayerSite:
    """A site that has the document's pages, each for one stream and one viewer."""

    def __init__(self, server: PageServer, tracker_url: str) -> None:
        self._server = server
        self._tracker = tracker_url
        self._bundles: dict[tuple[str, str, bool], bytes] = {}

    def page(
        self, heading: str, mode: Mode, src: str, name: str, edit: Callable[[str], str] = lambda page: page
    ) -> str:
        """Serve the page, changed by `edit`; return its URL. `src` has its viewer's name in the query."""
        if mode == "automatic":
            body = edit(block(heading, "html", _suffix(src)))
        else:
            body = self._module_page(heading, mode, src, name)
        head = f'<head><meta charset="utf-8"><title>{name}</title>{STYLE}</head>'
        html = f'<!doctype html><html lang="en">{head}<body>{body}</body></html>'
        return self._server.put_page(f"/{quote(name)}", self._placed(html, src))

    def _module_page(self, heading: str, mode: Mode, src: str, name: str) -> str:
        """Bundle the document's module as a site does; for the interceptor without the lines that name us."""
        module = block(heading, "js", _suffix(src))
        explicit = mode == "explicit"
        if not explicit:
            module = "".join(line for line in module.splitlines(keepends=True) if "PeerPool" not in line)
        path = f"/{quote(name)}.js"
        key = (heading, _suffix(src), explicit)
        if key not in self._bundles:
            self._bundles[key] = _bundled(module)
        self._server.files[path] = File(self._placed(self._bundles[key].decode(), src).encode(), SCRIPT)
        html = blocks("Any other player", "html")[0].replace("/site.js", path)
        return html.replace(TAG, "") if explicit else html

    def _placed(self, text: str, src: str) -> str:
        """Put this test bed's addresses, and the players' own builds, in the place of the document's."""
        for package, file in NPM.findall(text):
            self._server.files[f"/npm/{package}/{file}"] = File(
                (REPOSITORY / "node_modules" / package / file).read_bytes(), SCRIPT
            )
        text = NPM.sub(lambda match: f"/npm/{match[1]}/{match[2]}", text)
        return text.replace(STREAMS[_suffix(src)], src).replace(TRACKER, self._tracker)


def _suffix(src: str) -> str:
    return Path(src.partition("?")[0]).suffix


def _bundled(module: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="players-") as folder:
        entry, out = REPOSITORY / "e2e" / "pages", Path(folder) / "bundle.js"
        command = [str(REPOSITORY / "node_modules/.bin/esbuild"), "--bundle", "--minify", "--format=esm"]
        subprocess.run(
            [*command, f"--outfile={out}", "--log-level=warning", "--target=es2022"],
            input=module.encode(),
            check=True,
            cwd=entry,
        )
        return out.read_bytes()
