from __future__ import annotations

from pathlib import Path

import pytest
from peerpool import cli
from peerpool.core.errors import ConfigError
from peerpool.settings import DemoStream, Settings, WatchedStream, load_settings


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "peerpool.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults() -> None:
    assert load_settings(environ={}) == Settings()


def test_later_wins(tmp_path: Path) -> None:
    path = write(tmp_path, 'port = 1\nhost = "0.0.0.0"\ndemo_src = "a"')
    settings = load_settings(path, {"PEERPOOL_PORT": "2", "PEERPOOL_DEMO_SRC": "b"}, {"port": 3, "host": None})
    assert (settings.host, settings.port, settings.demo_src) == ("0.0.0.0", 3, "b")


def test_the_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    assert load_settings(environ={"PEERPOOL_CONFIG": str(write(tmp_path, "port = 7"))}).port == 7


def test_lists_of_tables(tmp_path: Path) -> None:
    path = write(tmp_path, '[[demo_streams]]\nname = "Live"\nsrc = "l"\n[[ice_servers]]\nurls = "stun:s"')
    settings = load_settings(path, {})
    assert settings.demo_streams == [DemoStream("Live", "l")]
    assert settings.ice_servers == [{"urls": "stun:s"}]
    watched = write(tmp_path, '[[watch]]\nurl = "https://a/b.m3u8"\norigins = ["https://c"]')
    assert load_settings(watched, {}).watch == [WatchedStream("https://a/b.m3u8", origins=["https://c"])]
    streams = '[{"name":"VOD","src":"v"}]'
    assert load_settings(None, {"PEERPOOL_DEMO_STREAMS": streams}).demo_streams == [DemoStream("VOD", "v")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "unknown setting `prot`"),
        ("port = 70000", "$.port"),
        ('port = "x"', "$.port"),
        ('log_level = "loud"', "$.log_level"),
        ("stun_port = 65536", "$.stun_port"),
        ('public_hosts = ["a", "b", "c"]', "$.public_hosts"),
        ('turn_policy = "always"', "$.turn_policy"),
        ("turn_ttl_s = 1", "$.turn_ttl_s"),
        ("[[turn]]\nurls = []", "$.turn[0].urls"),
        ('[[turn]]\nurls = ["stun:a"]', "$.turn[0].urls[0]"),
        ('[[turn]]\nurls = ["turn:a?transport=sctp"]', "$.turn[0].urls[0]"),
        ('[[turn]]\nurls = ["turn:a"]\ncountries = ["Germany"]', "$.turn[0].countries[0]"),
        ('[[demo_streams]]\nnane = "x"', "$.demo_streams[0]"),
        ('[[watch]]\ncontent = "x"', "$.watch[0]"),
        ("port = ", "is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(write(tmp_path, text), {})
    assert said in str(caught.value)


@pytest.mark.parametrize(("variable", "value"), [("PEERPOOL_PROT", "1"), ("PEERPOOL_DEMO_STREAMS", "[oops")])
def test_mistakes_in_the_environment_are_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        load_settings(environ={variable: value})


def test_the_command_says_it_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--config", str(write(tmp_path, "prot = 1"))]) == 2
    assert "prot" in capsys.readouterr().err
    assert cli.main(["serve", "--config", str(tmp_path / "none.toml")]) == 2
    assert "cannot read" in capsys.readouterr().err
