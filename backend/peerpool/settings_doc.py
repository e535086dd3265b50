"""Renders `settings.py` as `docs/configuration.md`.

Names, types, defaults and bounds are as Python has them, the reasons are from the comments above each.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import typing
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from peerpool import settings
from peerpool.core import figures
from peerpool.core.errors import BundleError

SOURCE: Final = Path("backend/peerpool/settings.py")
HEADER: Final = """\
# Configuration

<!-- Generated from backend/peerpool/settings.py by `peerpool settings --write`: do not edit. -->

Settings come of, the later winning: the defaults here, a TOML file (`peerpool serve --config FILE`, else the one that
`PEERPOOL_CONFIG` names, else `./peerpool.toml` if there is one), the environment (`PEERPOOL_PORT=8080`; lists and
tables as JSON), and the options of `peerpool serve`. An unknown name, or a value out of its range, is an error at the
start.

Files that settings name (`sites`, `site_map`, `geoip_databases`, secrets of TURN) are read again when they change; all
else needs a restart, which viewers hardly notice ([operations.md](operations.md)).

"""
_DOC_NAME: Final = re.compile(r"\bdocs/([\w-]+\.md)")
_WORDS: Final = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class Setting(NamedTuple):
    """One setting; `kind` says what it can be, `default` is as TOML has it, empty where there is none."""

    name: str
    kind: str
    default: str
    reason: str


def render_settings(_root: Path | None = None) -> str:
    """Return the text of docs/configuration.md. Raises BundleError where a setting has no reason."""
    lines = [HEADER]
    for setting in read_struct(settings.Settings):
        lines.append(f"## `{setting.name}`\n\n{setting.reason}\n\n{_bounds(setting)}\n\n")
    tables: tuple[type[Struct], ...] = (
        settings.DemoStream, settings.WatchedStream, settings.TurnServer, figures.Prices, figures.Tier,
    )  # fmt: skip
    for table in tables:
        lines.append(f"## {table.__name__}\n\n{_linked(inspect.cleandoc(table.__doc__ or ''))}\n\n")
        lines += ["| field | what it can be | default | |\n|---|---|---|---|\n"]
        for field in read_struct(table, needs_reasons=False):
            default = f"`{field.default}`" if field.default else ""
            lines.append(f"| `{field.name}` | {field.kind} | {default} | {field.reason} |\n")
        lines.append("\n")
    return "".join(lines).rstrip() + "\n"


def read_struct(struct: type[Struct], *, needs_reasons: bool = True) -> list[Setting]:
    """Return the fields of a struct in order, with the comments above them. Raises BundleError."""
    reasons = _comments(struct)
    hints = typing.get_type_hints(struct, include_extras=True)
    found = []
    for field in msgspec.structs.fields(struct):
        reason = reasons.get(field.name, "")
        if needs_reasons and not reason:
            raise BundleError(f"{SOURCE} gives no reason for {field.name}: write it in a comment above")
        found.append(Setting(field.name, _kind(hints[field.name]), _default(field), reason))
    return found


def _bounds(setting: Setting) -> str:
    return f"{setting.kind[:1].upper()}{setting.kind[1:]}. Default: " + (
        f"`{setting.default}`." if setting.default else "none."
    )


def _comments(struct: type[Struct]) -> dict[str, str]:
    """Return the lines of comment that stand above each field, as one text."""
    lines = inspect.getsource(struct).splitlines()
    body = ast.parse("\n".join(lines)).body[0]
    assert isinstance(body, ast.ClassDef)  # noqa: S101
    found = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above = []
            for line in reversed(lines[: node.lineno - 1]):
                if not line.strip().startswith("#"):
                    break
                above.append(line.strip().removeprefix("#").strip())
            found[node.target.id] = _linked(" ".join(reversed(above)))
    return found


def _linked(text: str) -> str:
    return _DOC_NAME.sub(r"[\1](\1)", text)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default
    if value is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is msgspec.NODEFAULT or value is None or isinstance(value, Struct):
        return ""
    return json.dumps(value)


def _kind(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        metas = [one for one in arguments[1:] if isinstance(one, Meta)]
        return _kind(arguments[0]) + "".join(_range(meta) for meta in metas)
    if origin is Literal:
        return "one of " + ", ".join(f"`{one}`" for one in arguments)
    if origin is list:
        inner = arguments[0]
        return "a list of " + (f"{inner.__name__} tables" if _is_struct(inner) else f"{_kind(inner)}s")
    if origin is dict:
        return "a table"
    if origin is not None:  # optional
        return " or ".join(_kind(one) for one in arguments if one is not type(None))
    return f"a {hint.__name__} table" if _is_struct(hint) else _WORDS.get(hint, "a value")


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Struct)


def _range(meta: Meta) -> str:
    parts = []
    if meta.ge is not None and meta.le is not None:
        parts.append(f"{meta.ge:,} to {meta.le:,}")
    elif meta.ge is not None:
        parts.append(f"{meta.ge:,} at least")
    elif meta.gt is not None:
        parts.append(f"more than {meta.gt:,}")
    if meta.max_length is not None:
        parts.append(f"at most {meta.max_length:,}")
    return "".join(f", {part}" for part in parts)
