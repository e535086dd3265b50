from __future__ import annotations

import ast
from pathlib import Path

import pytest
from peerpool import bundle, cli
from peerpool.constants_js import render_constants
from peerpool.core import constants

from tests.servers import ROOT

GENERATED = ROOT / "static" / "js" / "core" / "constants.js"


def test_the_generated_file_has_not_drifted() -> None:
    assert GENERATED.read_text(encoding="utf-8") == render_constants()


def test_every_constant_is_there_with_its_reason() -> None:
    source = Path(constants.__file__).read_text(encoding="utf-8")
    names = [node.targets[0].id for node in ast.parse(source).body
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]  # fmt: skip
    blocks = render_constants().split("\n\n")[1:]
    assert len(blocks) == len(names)
    for name, block in zip(names, blocks, strict=True):
        assert f"export const {name} = " in block
        assert block.startswith("/**\n * ")
        assert "* @type {" in block.splitlines()[-3]


def test_check_notices_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "find_checkout", lambda: tmp_path)
    (tmp_path / cli.CONSTANTS_JS).parent.mkdir(parents=True)
    assert cli.main(["constants", "--check"]) == 1
    assert "peerpool constants --write" in capsys.readouterr().err
    assert cli.main(["constants", "--write"]) == 0
    assert cli.main(["constants", "--check"]) == 0
