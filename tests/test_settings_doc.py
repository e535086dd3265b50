"""The page of the tracker's settings is what the code says."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct, field
from peerpool import cli
from peerpool.core.errors import BundleError
from peerpool.settings import Settings
from peerpool.settings_doc import Setting, read_struct, render_settings

from tests.servers import ROOT


class Example(Struct):
    """Settings of a test."""

    # How many there are;
    # a reason of two lines (docs/nat.md).
    count: Annotated[int, Meta(ge=1, le=20_000)] = 5
    # One of two.
    mode: Literal["on", "off"] = "off"
    # Names.
    names: Annotated[list[str], Meta(max_length=3)] = field(default_factory=lambda: ["a"])

    # Nothing above the next but an empty line counts.

    bare: float | None = None


def test_fields_are_read_with_kind_default_and_the_comment_above() -> None:
    assert read_struct(Example, needs_reasons=False) == [
        Setting(
            "count", "a whole number, 1 to 20,000", "5", "How many there are; a reason of two lines ([nat.md](nat.md))."
        ),
        Setting("mode", "one of `on`, `off`", '"off"', "One of two."),
        Setting("names", "a list of texts, at most 3", '["a"]', "Names."),
        Setting("bare", "a number", "", ""),
    ]


def test_a_setting_without_a_reason_is_refused() -> None:
    with pytest.raises(BundleError, match="no reason for bare"):
        read_struct(Example)


def test_the_document_has_every_setting_and_is_up_to_date() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text == render_settings()
    assert [name for name in Settings.__struct_fields__ if f"## `{name}`\n" not in text] == []
    assert cli.main(["settings", "--check"]) == 0
