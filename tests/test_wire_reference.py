"""The golden vectors, read by Python; tests/js/core reads the same files with the shipped code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import wire_reference as wire

VECTORS = Path(__file__).parent / "vectors"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def test_identities_are_the_frozen_ones() -> None:
    frozen = vectors("identity")
    for content in frozen["contents"]:
        assert wire.content_name(content["manifest"]) == content["name"]
        assert wire.content_id(content["name"]) == content["id"]
    for track in frozen["tracks"]:
        assert wire.canonical_track(track["description"]) == track["canonical"]
        assert wire.track_id(track["description"]) == track["id"]
    for init in frozen["inits"]:
        assert wire.init_number(init["url"], init["offset"]) == init["number"]


@pytest.mark.parametrize("vector", vectors("frames")["valid"], ids=lambda vector: vector["name"])
def test_frames_are_the_frozen_ones_both_ways(vector: dict[str, Any]) -> None:
    assert wire.encode(vector["frame"]).hex() == vector["bytes"]
    assert wire.decode(bytes.fromhex(vector["bytes"])) == vector["frame"]


@pytest.mark.parametrize("vector", vectors("frames")["invalid"], ids=lambda vector: vector["name"])
def test_what_is_out_of_bounds_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(wire.Malformed):
        wire.decode(bytes.fromhex(vector["bytes"]))
