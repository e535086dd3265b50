"""The documents: links lead somewhere, snippets are what the programs take, and the site builds without a warning."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from peerpool import cli, operator_commands
from peerpool.core.sites import Site
from peerpool.settings import Settings

from tests.servers import ROOT

assert operator_commands  # its commands are part of the command line that snippets are tried on
PAGES = sorted(
    [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if "sim" not in path.parts)],
    key=str,
)
FENCE = re.compile(r"^( *)```(\{?[\w-]*\}?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
ESBUILD = ROOT / "node_modules" / ".bin" / "esbuild"


class Snippet(NamedTuple):
    """A block of a page: its language, its text, and the line it begins at."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(*languages: str) -> list[Snippet]:
    return [one for page in PAGES for one in _snippets(page) if one.language in languages]


def _snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        indent = found[1]
        body = "".join(line.removeprefix(indent) for line in found[3].splitlines(keepends=True))
        yield Snippet(page, text[: found.start()].count("\n") + 1, found[2], body)


def named(one: Snippet | Path) -> str:
    return one.name if isinstance(one, Snippet) else str(one.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("one", snippets("toml"), ids=named)
def test_settings_and_sites_in_the_documents_are_taken(one: Snippet) -> None:
    values = tomllib.loads(one.text)
    if "site" in values:
        tables = values["site"] if isinstance(values["site"], list) else [values["site"]]
        for table in tables:
            # Secrets in documents are words that say what belongs there.
            secrets = {"secrets": ["x" * 32 for _ in table.get("secrets", [])]}
            msgspec.convert(
                {"id": "a", "origins": ["https://a.example"], "tokens": "optional", **table, **secrets}, Site
            )
    else:
        msgspec.convert(values, Settings)


@pytest.mark.skipif(not ESBUILD.exists(), reason="needs `npm ci`")
@pytest.mark.parametrize("one", snippets("js", "ts", "html"), ids=named)
def test_scripts_in_the_documents_are_scripts(one: Snippet) -> None:
    loader = "ts" if one.language == "ts" else "js"
    scripts = [one.text]
    if one.language == "html":
        found = re.findall(r"<script\b([^>]*)>(.*?)</script>", one.text, re.DOTALL)
        scripts = [script for attributes, script in found if "importmap" not in attributes and script.strip()]
    for script in scripts:
        command = [str(ESBUILD), f"--loader={loader}", "--format=esm", "--log-level=error"]
        done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def commands() -> list[tuple[str, list[str]]]:
    """List the commands of ours in blocks without a language, and in backticks, without those that are placeholders."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [one.text for one in _snippets(page) if one.language in ("", "sh", "bash")]
        written = [line.strip() for block in blocks for line in block.splitlines()]
        written += re.findall(r"`(peerpool [^`]+|make [^`]+)`", text)
        for line in written:
            matched = re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\S*/)?(peerpool|make) (.+)", line)
            if matched:
                words = re.sub(r"\s+#.*|\s+\(.*|[;&|].*", "", matched[2]).replace('"', "").split()
                found.append((f"{page.relative_to(ROOT)}: {line}", [matched[1], *words]))
    return found


@pytest.mark.parametrize(("where", "words"), commands(), ids=[where for where, _ in commands()])
def test_commands_in_the_documents_are_there(where: str, words: list[str]) -> None:
    program, *arguments = words
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert arguments[0] in targets or "=" in arguments[0] or arguments[0] == "TARGET", where
        return
    parser = cli._parser()
    known = {name for name in arguments if name.startswith("--")}
    names = [name for name in arguments if re.fullmatch(r"[a-z]+", name)]
    help_text = _help(parser, names)
    assert help_text is not None, where
    assert {name.partition("=")[0] for name in known} <= set(re.findall(r"--[a-z-]+", help_text)), where


def _help(parser: argparse.ArgumentParser, names: list[str]) -> str | None:
    """Return the help of the command that `names` begin with; None where there is none."""
    text = None
    for name in names:
        actions = getattr(parser, "_subparsers", None)
        choices = actions._group_actions[0].choices if actions is not None else {}
        if name not in choices:
            break
        parser = choices[name]
        text = parser.format_help()
    return text


def test_the_overlays_words_are_explained_as_it_says_them() -> None:
    source = (ROOT / "static" / "js" / "debug" / "explanations.js").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    said = re.findall(r"^\| ([^|]+?) \| [^|]+ \|$", page.partition("## On the tracker")[0], re.MULTILINE)
    quoted = [one for one in said if one not in ("it says", "reason") and not one.startswith("-")]
    assert len(quoted) > 12
    assert [one for one in quoted if one not in source] == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    for page in ("index.html", "quick-start.html", "configuration.html", "adr/0001-sans-io-cores.html"):
        assert (tmp_path / "site" / page).stat().st_size > 1_000
