"""The swarm simulator, small: shipped peers against the shipped tracker."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from bench.simulate import Run, comparable, simulate
from bench.tracker_bridge import Happening, TrackerBridge

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")

SMALL = Run("live-10", seed=3, options=("--peers=6", "--minutes=0.75", "--set=audience.joinOverSec=10"))
CONTENT = "c" * 40
SESSION = "0123456789abcdef"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return simulate(SMALL)


@needs_node
def test_the_same_seed_is_the_same_run(report: dict[str, Any]) -> None:
    assert comparable(simulate(SMALL)) == comparable(report)


@needs_node
def test_another_seed_is_another_run(report: dict[str, Any]) -> None:
    other = Run(SMALL.scenario, SMALL.seed + 1, SMALL.options)
    assert comparable(simulate(other)) != comparable(report)


@needs_node
def test_viewers_meet_through_the_tracker_and_share(report: dict[str, Any]) -> None:
    pool, plain = report["pool"], report["plain"]
    assert report["tracker"] == "shipped"
    assert pool["tracker"]["messages"] > 6 * 5
    assert pool["neighbours"]["max"] == 5
    assert pool["stalls"] == 0
    assert plain["stalls"] == 0
    assert pool["failures"] == 0
    assert 1 <= pool["copiesWarm"] < 3
    assert 0.4 < pool["offload"] <= pool["bound"]
    assert pool["wastedShare"] < 0.1
    assert pool["consumedBytes"] <= pool["ledger"]["peerBytes"] + pool["ledger"]["cdnBytes"]
    assert pool["ledger"]["cdnBytes"] <= pool["originBytes"]


@needs_node
def test_the_twin_without_the_library_has_the_same_viewers(report: dict[str, Any]) -> None:
    pool, plain = report["pool"], report["plain"]
    assert pool["viewers"] == plain["viewers"]
    assert pool["concurrent"] == plain["concurrent"]
    assert plain["startupMs"]["median"] > 0


def test_the_bridge_speaks_the_native_protocol() -> None:
    bridge = TrackerBridge(1)
    assert bridge.handle(Happening("open", 1, 0.0)).commands == []
    join = json.dumps({"type": "join", "content": CONTENT, "session": SESSION})
    answer = bridge.handle(Happening("message", 1, 0.1, join))
    (reaction,) = answer.commands
    assert reaction.connection == 1
    assert json.loads(reaction.frame or "")["type"] == "welcome"
    assert answer.deadline is not None
    assert answer.deadline >= 0.1


def test_the_bridge_hands_on_what_the_tracker_refuses() -> None:
    bridge = TrackerBridge(1)
    bridge.handle(Happening("open", 1, 0.0))
    (reaction,) = bridge.handle(Happening("message", 1, 0.1, "no JSON")).commands
    assert json.loads(reaction.frame or "")["code"] == "bad_frame"
    commands = bridge.handle(Happening("message", 1, 0.2, "x" * 20_000)).commands
    assert commands[-1].close is not None


def test_the_bridge_answers_lines() -> None:
    line = TrackerBridge(1).line_received(b'{"event":"tick","connection":0,"now":1.5}\n')
    assert json.loads(line) == {"commands": [], "deadline": None}


@needs_node
def test_viewers_of_one_provider_share_among_themselves() -> None:
    options = (
        "--peers=110",
        "--minutes=1",
        "--set=audience.joinOverSec=20",
        "--set=audience.providers=2",
        "--no-plain",
    )
    pool = simulate(Run("providers", seed=1, options=options))["pool"]
    assert pool["stalls"] == 0
    assert pool["copiesWarm"] <= 2.5  # two clusters, or one and the place around both
    assert pool["ledger"]["farBytes"] <= 0.05 * pool["ledger"]["peerBytes"]


@needs_node
def test_a_tracker_that_knows_of_nats_saves_attempts_and_finds_neighbours() -> None:
    options = ("--peers=60", "--minutes=2", "--set=audience.joinOverSec=20")
    told, blind = (
        simulate(Run("nats-mobile", 1, (*options, f"--set=lines.tellsNat={tells}")))["pool"]["connecting"]
        for tells in ("true", "false")
    )
    assert told["kinds"]["dependent"]["viewers"] == blind["kinds"]["dependent"]["viewers"] > 10
    assert told["failed"] < 0.7 * blind["failed"]
    assert told["kinds"]["dependent"]["neighbours"] > blind["kinds"]["dependent"]["neighbours"]
