"""TURN's settings, and secrets from real files."""

from __future__ import annotations

from pathlib import Path

import pytest
from peerpool.core.errors import ConfigError
from peerpool.settings import Settings, TurnServer
from peerpool.turn import Turn

from tests.test_geoip import touch_later

URLS = ["turn:turn.example:3478"]


def test_settings_become_a_plan() -> None:
    server = TurnServer(URLS, "secret", countries=["de"], continents=["EU"])
    plan = Turn(Settings(turn=[server], turn_policy="only", turn_ttl_s=60, turn_member_kbps=64), lambda: 7.0).plan
    assert (plan.policy, plan.ttl_s, plan.member_kbps, plan.wall_clock()) == ("only", 60, 64, 7.0)
    (service,) = plan.services
    assert (service.urls, service.secret()) == (URLS, "secret")
    assert (service.countries, service.continents) == (frozenset({"DE"}), frozenset({"EU"}))


def test_a_secret_in_a_file_that_changes_is_read_again_and_a_broken_one_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first\n")
    turn = Turn(Settings(turn=[TurnServer(URLS, secret_file=str(file))]))
    (service,) = turn.plan.services
    assert service.secret() == "first"
    for text, secret in (("second\n", "second"), ("", "second"), ("third", "third")):
        file.write_text(text)
        touch_later(file)
        turn.refresh()
        assert service.secret() == secret


@pytest.mark.parametrize("content", [b"", b" \n", b"two\nlines", b"\xff", b"x" * 1025])
def test_a_file_that_holds_no_secret_is_a_mistake_that_is_named_without_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="the secret of TURN") as caught:
        Turn(Settings(turn=[TurnServer(URLS, secret_file=str(file))]))
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(turn=[TurnServer(URLS)]), "number 1: give it either"),
        (Settings(turn=[TurnServer(URLS, "a"), TurnServer(URLS, "a", "b")]), "number 2: give it either"),
        (Settings(turn=[TurnServer(URLS, secret_file="/nowhere")]), "cannot read /nowhere"),
        (Settings(turn_policy="only"), "needs TURN servers"),
    ],
)
def test_mistakes_are_named(settings: Settings, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Turn(settings)


def test_a_secret_is_not_printed() -> None:
    assert "hidden" not in repr(Settings(turn=[TurnServer(URLS, "hidden")]))
