"""`peerpool savings`: the CDN's log beside what viewers reported."""

from __future__ import annotations

import gzip
import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from peerpool import cli
from peerpool.core.errors import ConfigError
from peerpool.core.figures import Prices, Tier
from peerpool.core.ledger import OTHERS, LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.savings import compare, read_logs, render
from peerpool.sqlite_history import SqliteHistory

NOW_S = int(time.time()) // 60 * 60
BEGUN_S = NOW_S - 1_200
KEY = LedgerKey("", "c" * 40, Group.SHARING)


def line(at_s: float, path: str, size_bytes: int, status: int = 200) -> str:
    when = datetime.fromtimestamp(at_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'192.0.2.1 - - [{when}] "GET {path} HTTP/1.1" {status} {size_bytes}\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Write a log of ten minutes: a GB of segments a minute, and manifests."""
    path = tmp_path / "access.log"
    lines = [line(BEGUN_S + 60 * n, f"/a/{n}.m4s", 10**9) for n in range(10)]
    lines += [line(BEGUN_S + 60 * n, "/a/index.m3u8", 1_000) for n in range(10)]
    path.write_text("".join(lines) + "something else\n")
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    history = SqliteHistory(str(path), 10**9)
    for n in range(10):
        rows = {KEY: Sums(cdn_bytes=98 * 10**7, far_bytes=3 * 10**9)}
        history.add(BEGUN_S + 60 * n + 5, rows)
    history.add(BEGUN_S - 600, {KEY: Sums(cdn_bytes=10**12)})  # before the log begins
    history.close()
    return path


def test_the_log_is_set_beside_what_was_reported_in_its_time(log: Path, database: Path) -> None:
    history = SqliteHistory(str(database), 10**9)
    totals = read_logs([log], None, lambda _: None)
    savings = compare(totals, history, NOW_S, Prices("EUR", [Tier(0.1)]))
    assert (savings.log_bytes, savings.other_bytes, savings.answers, savings.unread_lines) == (10**10, 10_000, 20, 1)
    assert (savings.reported_cdn_bytes, savings.reported_peer_bytes) == (98 * 10**8, 3 * 10**10)
    assert savings.difference == pytest.approx(-0.02)
    assert savings.offload == 0.75
    assert savings.money is not None
    assert savings.money.saved == pytest.approx(3.0), "by the log's bytes"
    text = "\n".join(render(savings))
    assert "75.0 %" in text
    assert "3.00 EUR" in text
    assert "more than" not in text


def test_bytes_of_the_holdout_are_the_cdns_too(log: Path, database: Path) -> None:
    history = SqliteHistory(str(database), 10**9)
    history.add(BEGUN_S + 60, {LedgerKey("", OTHERS, Group.HOLDOUT): Sums(cdn_bytes=2 * 10**8)})
    savings = compare(read_logs([log], None, lambda _: None), history, NOW_S, Prices())
    assert savings.difference == pytest.approx(0)
    assert savings.money is None


def test_a_difference_is_explained(log: Path, database: Path, tmp_path: Path) -> None:
    more, less = tmp_path / "more.log", tmp_path / "less.log"
    more.write_text(log.read_text() * 2)
    less.write_text("".join(log.read_text().splitlines(keepends=True)[::2]))
    history = SqliteHistory(str(database), 10**9)

    def said(path: Path) -> str:
        return "\n".join(render(compare(read_logs([path], None, lambda _: None), history, NOW_S, Prices())))

    assert "sent more than viewers reported" in said(more)
    assert "reported more than the CDN sent" in said(less)
    empty = SqliteHistory(":memory:", 10**9)
    assert "Viewers reported nothing" in "\n".join(
        render(compare(read_logs([log], None, lambda _: None), empty, NOW_S, Prices()))
    )


def test_logs_may_be_gzipped_and_several(log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "access.log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert read_logs([log, packed], None, lambda _: None).media_bytes == 2 * 10**10


def test_paths_that_count_may_be_said(log: Path) -> None:
    assert read_logs([log], re.compile(r"\.m3u8$"), lambda _: None).media_bytes == 10_000


def test_what_is_no_log_is_named(tmp_path: Path, log: Path) -> None:
    (tmp_path / "poem.txt").write_text("roses are red\n")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b\x08no")
    for name, problem in (("poem.txt", "no line of it"), ("broken.gz", "cannot be read"), ("none", "cannot be read")):
        with pytest.raises(ConfigError, match=problem):
            read_logs([tmp_path / name], None, lambda _: None)
    with pytest.raises(ConfigError, match="no answer with media"):
        compare(
            read_logs([log], re.compile("nothing"), lambda _: None), SqliteHistory(":memory:", 10**9), NOW_S, Prices()
        )


def test_the_command_says_it_in_words_and_in_json(
    log: Path, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "peerpool.toml"
    config.write_text(f'history = "{database}"\n[prices]\ncurrency = "EUR"\ncdn = [{{ per_gb = 0.1 }}]\n')
    assert cli.main(["savings", "--log", str(log), "--config", str(config)]) == 0
    assert "75.0 %" in capsys.readouterr().out
    assert cli.main(["savings", "--log", str(log), "--history", str(database), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["offload"] == 0.75
    assert cli.main(["savings", "--log", str(log)]) != 0
    assert "history" in capsys.readouterr().err
    assert cli.main(["savings", "--log", str(log), "--history", str(tmp_path / "none.db")]) != 0
    assert "none.db" in capsys.readouterr().err
    assert cli.main(["savings", "--log", str(log), "--history", str(database), "--path", "("]) != 0
    assert "--path" in capsys.readouterr().err
