"""The file that names the sites: what it says when it is wrong, and that it shows no secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from peerpool.core.errors import ConfigError
from peerpool.sites_file import find_site, read_sites
from peerpool.watched_file import WatchedFile

SECRET = "sssssssss-do-not-show-me-sssssssss"
GOOD = f'[[site]]\nid = "news"\nsecrets = ["{SECRET}"]\norigins = ["https://news.example"]\n'


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_sites_are_read_with_their_defaults(tmp_path: Path) -> None:
    [site] = read_sites(written(tmp_path / "sites.toml", GOOD))
    assert (site.id, site.contents, site.tokens, site.enabled) == ("news", ["*"], "required", True)
    assert (site.ramp_percent, site.holdout_percent) == (100, 0)
    assert find_site([site], "news") is site
    with pytest.raises(ConfigError, match="there are: news"):
        find_site([site], "other")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no [[site]]"),
        ("site = 5", "there is no [[site]]"),
        ("[[sites]]\n", "unknown field `sites`"),
        (GOOD + GOOD, "two sites have the id `news`"),
        (GOOD + "colour = 1", "[[site]] number 1: Object contains unknown field `colour`"),
        (GOOD + "enabled = 'yes'", "$.enabled"),
        (GOOD + f"tokens = '{SECRET}'", "`tokens` is one of"),
        (GOOD + "[[site]]\nid = 'b'", "[[site]] number 2: Object missing required field `origins`"),
        (GOOD.replace(SECRET, SECRET[:31]), "31 characters, 32 are the least"),
        (GOOD.replace(f'"{SECRET}"', f'"{SECRET}'), "line 3"),
        (GOOD.replace(f'["{SECRET}"]', f'"{SECRET}"'), "$.secrets"),
    ],
)
def test_a_broken_file_is_refused_and_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_sites(written(tmp_path / "sites.toml", text))
    assert says in str(caught.value)
    assert "do-not-show-me" not in str(caught.value)


def test_a_file_that_breaks_or_goes_keeps_the_last_good_one_and_is_complained_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "sites.toml", GOOD)
    file = WatchedFile(path, read_sites)
    written(path, GOOD + "colour = 1")
    assert [file.refresh() for _ in range(3)] == [False] * 3
    path.unlink()
    assert [file.refresh() for _ in range(3)] == [False] * 3
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert [site.id for site in file.content] == ["news"]
    written(path, GOOD.replace('"news"', '"fresh"'))
    assert file.refresh()
    assert [site.id for site in file.content] == ["fresh"]
