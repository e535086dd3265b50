"""Renders `core/constants.py` as a JavaScript module, so that both sides share one source of numbers."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from peerpool.core import constants

HEADER = """\
/**
 * Numbers and names that browser and tracker must agree on.
 *
 * Generated from backend/peerpool/core/constants.py by `peerpool constants --write`: do not edit.
 */
"""

JS_TYPES: dict[type, str] = {str: "string", int: "number", float: "number"}


def render_constants() -> str:
    """Return the text of `static/js/core/constants.js`, in the order of the Python source."""
    source = Path(constants.__file__).read_text(encoding="utf-8")
    lines = source.splitlines()
    blocks = [HEADER]
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = getattr(constants, name)
            blocks.append(_render_one(name, value, _comment_above(lines, node.lineno)))
    return "\n".join(blocks)


def _comment_above(lines: list[str], lineno: int) -> list[str]:
    """Return the `#` lines directly above line `lineno` (counted from 1), without their marks."""
    index = lineno - 2
    comment: list[str] = []
    while index >= 0 and lines[index].startswith("#"):
        comment.insert(0, lines[index].lstrip("# "))
        index -= 1
    return comment


def _render_one(name: str, value: str | float, comment: list[str]) -> str:
    doc = "\n".join(f" * {line}" for line in comment)
    js_type = JS_TYPES[type(value)]
    return f"/**\n{doc}\n * @type {{{js_type}}}\n */\nexport const {name} = {json.dumps(value)};\n"
