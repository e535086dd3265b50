"""Frames of /signal against the golden vectors, which the browser side reads too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from peerpool.core import messages as m
from peerpool.core.errors import BadFrame
from peerpool.protocols import native

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "tracker_messages.json").read_text(encoding="utf-8"))


def _tag(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


TRACKER_TYPES = {_tag(kind): kind for kind in m.TrackerFrame.__subclasses__()}
CLIENT_TAGS = {_tag(kind) for kind in get_args(m.ClientMessage)}


@pytest.mark.parametrize("vector", VECTORS["client"], ids=lambda vector: vector["frame"][:40])
def test_what_clients_send(vector: dict[str, Any]) -> None:
    assert json.loads(msgspec.json.encode(native.decode(vector["frame"]))) == vector["message"]


@pytest.mark.parametrize("vector", VECTORS["tracker"], ids=lambda vector: vector["frame"][:40])
def test_what_the_tracker_sends(vector: dict[str, Any]) -> None:
    message = msgspec.convert(vector["message"], TRACKER_TYPES[vector["message"]["type"]])
    assert native.encode(message).decode() == vector["frame"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_what_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BadFrame) as caught:
        native.decode(vector["frame"])
    assert caught.value.code == vector["code"]


def test_the_vectors_cover_every_message() -> None:
    assert {vector["message"]["type"] for vector in VECTORS["client"]} == CLIENT_TAGS
    assert {vector["message"]["type"] for vector in VECTORS["tracker"]} == set(TRACKER_TYPES)
