"""Renders `static/js/options.js` as `docs/options.md`.

The rules are as Node has them, the reasons are from the comments, which are not shipped.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from peerpool.core.errors import BundleError

SOURCE: Final = Path("static/js/options.js")
MOST_OPTIONS: Final = 15
NODE_TIMEOUT_S: Final = 30
SCRIPT: Final = """
const { RULES } = await import(process.argv[1]);
const told = ([name, { initial, kinds, onTag = false }]) => [name, JSON.stringify(initial), kinds, onTag];
console.log(JSON.stringify(Object.entries(RULES).map(told)));
"""
PROPERTY: Final = re.compile(r"^ \* @property \{.+\} (\w+)  (.+)$", re.MULTILINE)
DOC_LINK: Final = re.compile(r"\(docs/([\w-]+\.md)\)")
HEADER: Final = """\
# Options

<!-- Generated from static/js/options.js by `peerpool options --write`: do not edit. -->

`PeerPool.configure({ ... })` changes options; what is left out stays as it is. Those with an attribute can
be on the script tag instead. A wrong name or value throws a `TypeError`, and nothing is changed.
Options are read when a swarm is joined; only what forbids sharing acts on swarms that are joined.

| option | default | unit, range | why | attribute |
|---|---|---|---|---|
"""


class Option(NamedTuple):
    """One option: `initial` is its default as JavaScript, `kinds` says what a value can be, with its unit and range."""

    name: str
    initial: str
    kinds: str
    reason: str
    on_tag: bool


def read_options(root: Path) -> list[Option]:
    """Return the options of the checkout `root`, in order. Raises BundleError, also where one has no reason."""
    reasons = dict(PROPERTY.findall(_typedef((root / SOURCE).read_text(encoding="utf-8"))))
    rules = [(str(name), str(initial), str(kinds), bool(on_tag)) for name, initial, kinds, on_tag in _rules(root)]
    if missing := [name for name, *_ in rules if name not in reasons]:
        raise BundleError(f"{SOURCE} gives no reason for {', '.join(missing)}: write it behind the @property's name")
    return [Option(name, initial, kinds, reasons[name], on_tag) for name, initial, kinds, on_tag in rules]


def render_options(root: Path) -> str:
    """Return the text of docs/options.md for the checkout `root`. Raises BundleError."""
    options = read_options(root)
    if len(options) > MOST_OPTIONS:
        raise BundleError(
            f"{SOURCE} has {len(options)} options; {MOST_OPTIONS} are all that a page can be asked to know"
        )
    return HEADER + "".join(_row(option) for option in options)


def _row(option: Option) -> str:
    reason = DOC_LINK.sub(r"([\1](\1))", option.reason)
    initial = f"`{option.initial}`" if option.initial != '""' else "none"
    cells = [f"`{option.name}`", initial, option.kinds, reason, f"`data-{option.name}`" if option.on_tag else ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _typedef(source: str) -> str:
    found = re.search(r"/\*\*\n \* @typedef \{object\} Options\n.*?\*/", source, re.DOTALL)
    if found is None:
        raise BundleError(f"{SOURCE} has no typedef of Options")
    return found[0]


def _rules(root: Path) -> list[list[object]]:
    command = ["node", "--input-type=module", "--eval", SCRIPT, str((root / SOURCE).resolve())]
    try:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            command, capture_output=True, text=True, timeout=NODE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"node did not run: {error}; Node 20 or newer is needed") from None
    if done.returncode != 0:
        raise BundleError(f"node refused {SOURCE}:\n{done.stderr.strip()}")
    rules: list[list[object]] = json.loads(done.stdout)
    return rules
