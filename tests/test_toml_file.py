"""TOML files of operators: what is read, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from peerpool.core.errors import ConfigError
from peerpool.toml_file import read_toml


def test_a_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[[site]]\nid = "a"\n')
    assert read_toml(path) == {"site": [{"id": "a"}]}


@pytest.mark.parametrize("data", [b"no = toml = at all", b"\xff\xfe"])
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"a\.toml is not TOML"):
        read_toml(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.toml"):
        read_toml(tmp_path / "gone.toml")
