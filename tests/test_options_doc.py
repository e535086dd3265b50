from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from peerpool import bundle, cli
from peerpool.core.errors import BundleError
from peerpool.options_doc import MOST_OPTIONS, SOURCE, read_options, render_options

from tests.servers import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a copy of the sources that a test may spoil."""
    shutil.copytree(ROOT / "static" / "js", tmp_path / "static" / "js")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "docs").mkdir()
    return tmp_path


def spoil(root: Path, before: str, after: str) -> None:
    text = (root / SOURCE).read_text(encoding="utf-8")
    assert before in text
    (root / SOURCE).write_text(text.replace(before, after), encoding="utf-8")


def test_the_document_is_what_the_source_says() -> None:
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == render_options(ROOT)


def test_there_are_at_most_fifteen_each_with_default_range_and_reason() -> None:
    options = read_options(ROOT)
    assert len(options) <= MOST_OPTIONS == 15
    for option in options:
        assert option.initial and option.kinds and option.reason, option.name
    neighbours = next(option for option in options if option.name == "neighbours")
    assert (neighbours.initial, neighbours.kinds, neighbours.on_tag) == ("8", "a whole number, 1 to 16", False)


def test_reasons_are_not_shipped() -> None:
    manifest = bundle.build(ROOT) if bundle.is_stale(ROOT) else bundle.load_manifest()
    shipped = [
        (bundle.BUNDLED / name).read_text(encoding="utf-8")
        for name in manifest
        if name.startswith("peerpool") and name.endswith(".js")
    ]
    for option in read_options(ROOT):
        assert not any(option.reason[:40] in text for text in shipped), option.name


def test_check_notices_drift(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "find_checkout", lambda: checkout)
    assert cli.main(["options", "--check"]) == 1
    assert "peerpool options --write" in capsys.readouterr().err
    assert cli.main(["options", "--write"]) == 0
    assert cli.main(["options", "--check"]) == 0
    spoil(checkout, "a whole number, 1 to 16", "a whole number, 1 to 15")
    assert cli.main(["options", "--check"]) == 1


def test_an_option_without_a_reason_is_named(checkout: Path) -> None:
    spoil(checkout, " * @property {boolean} enabled  ", " * @property {boolean} switchedOn  ")
    with pytest.raises(BundleError, match="no reason for enabled"):
        render_options(checkout)


def test_a_sixteenth_option_is_refused(checkout: Path) -> None:
    spoil(checkout, "  enabled: { initial: true", "  more: { initial: true, ...flag },\n  enabled: { initial: true")
    spoil(
        checkout,
        " * @property {boolean} enabled  ",
        " * @property {boolean} more  why\n * @property {boolean} enabled  ",
    )
    with pytest.raises(BundleError, match="has 16 options"):
        render_options(checkout)


def test_a_source_that_node_refuses_is_told(checkout: Path) -> None:
    spoil(checkout, "export const RULES", "export const RULES =")
    with pytest.raises(BundleError, match="node refused"):
        render_options(checkout)
