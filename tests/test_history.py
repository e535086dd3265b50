"""The history: what was added is there once at each resolution, whatever is killed; the file stays in its bounds."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from peerpool.core.errors import ConfigError
from peerpool.core.ledger import OTHERS, LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.history import DAY_S, HOUR_S, KEPT_S, MINUTE_S, Scope
from peerpool.sqlite_history import MIGRATIONS, SqliteHistory

NOW_S = 1_700_000_000 - 1_700_000_000 % DAY_S
KEY = LedgerKey("s", "c" * 32, Group.SHARING)
HELD_OUT = LedgerKey("s", OTHERS, Group.HOLDOUT)
MAX_BYTES = 64 * 1024 * 1024
KILLS = int(os.environ.get("KILLS", "10"))  # `make bench-history` does 50


@pytest.fixture
def history(tmp_path: Path) -> SqliteHistory:
    return SqliteHistory(str(tmp_path / "of" / "history.db"), MAX_BYTES)


def last(length_s: int) -> Scope:
    return Scope(NOW_S - length_s, NOW_S)


def test_what_was_added_is_there_at_every_resolution(history: SqliteHistory) -> None:
    for minute in range(90):
        at_s = NOW_S - 90 * MINUTE_S + minute * MINUTE_S
        history.add(at_s + 10, {KEY: Sums(viewer_ms=1, cdn_bytes=5)})
        history.add(at_s + 20, {KEY: Sums(cdn_bytes=2**41), HELD_OUT: Sums(stalls=1)})
    for length_s, steps in ((2 * HOUR_S, 90), (4 * DAY_S, 2), (90 * DAY_S, 1)):
        points = history.series(last(length_s), NOW_S)
        mine = [point for point in points if point.group is Group.SHARING]
        assert len(mine) == steps
        assert sum(point.sums.cdn_bytes for point in mine) == 90 * (5 + 2**41)
        assert sum(point.sums.stalls for point in points if point.group is Group.HOLDOUT) == 90


def test_a_scope_may_be_a_site_or_a_content(history: SqliteHistory) -> None:
    other = LedgerKey("t", KEY.content, Group.SHARING)
    history.add(NOW_S - 60, {KEY: Sums(joins=1), other: Sums(joins=2), other._replace(content="d"): Sums(joins=4)})

    def joins(scope: Scope) -> int:
        return sum(point.sums.joins for point in history.series(scope, NOW_S))

    everything = last(HOUR_S)
    assert joins(everything) == 7
    assert joins(everything._replace(site="t")) == 6
    assert joins(everything._replace(site="t", content=KEY.content)) == 2
    assert joins(everything._replace(site="u")) == 0
    assert joins(everything._replace(since_s=NOW_S, until_s=NOW_S + HOUR_S)) == 0


def test_contents_come_with_their_names_the_most_watched_first(history: SqliteHistory) -> None:
    small = KEY._replace(content="d" * 32)
    history.add(NOW_S - 120, {KEY: Sums(viewer_ms=9), small: Sums(viewer_ms=1)}, {KEY.content: "a film"})
    history.add(NOW_S - 60, {KEY: Sums(viewer_ms=9), HELD_OUT: Sums(viewer_ms=5)}, {})
    rows = history.contents(last(HOUR_S), NOW_S)
    assert [(row.content, row.name, row.group, row.sums.viewer_ms) for row in rows] == [
        (KEY.content, "a film", Group.SHARING, 18),
        (OTHERS, "", Group.HOLDOUT, 5),
        (small.content, "", Group.SHARING, 1),
    ]


def test_events_are_summed_by_name(history: SqliteHistory) -> None:
    history.add(NOW_S - 120, {}, {}, {("s", "refused:full"): 2, ("t", "refused:full"): 1, ("", "bans"): 1})
    history.add(NOW_S - 60, {}, {}, {("s", "refused:full"): 3})
    assert history.events(last(HOUR_S), NOW_S) == {"bans": 1, "refused:full": 6}
    assert history.events(last(HOUR_S)._replace(site="s", content="c"), NOW_S) == {"refused:full": 5}


def test_a_year_of_minutes_keeps_its_resolutions_and_no_more(tmp_path: Path) -> None:
    history = SqliteHistory(str(tmp_path / "year.db"), MAX_BYTES)
    for hour in range(366 * 24):
        history.add(NOW_S - 366 * DAY_S + hour * HOUR_S, {KEY: Sums(viewer_ms=1)})
    history.sweep(NOW_S)
    db = sqlite3.connect(history.name)
    for span_s, kept_s in KEPT_S.items():
        oldest_s, steps = db.execute("SELECT MIN(at_s), COUNT(*) FROM sums WHERE span_s = ?", (span_s,)).fetchone()
        assert oldest_s >= NOW_S - max(kept_s, span_s)
        assert steps == min(kept_s, 366 * DAY_S) // max(span_s, HOUR_S)
    db.close()
    assert sum(point.sums.viewer_ms for point in history.series(last(366 * DAY_S), NOW_S)) == 366 * 24


def test_a_file_that_is_too_large_loses_the_oldest_of_the_finest_first(tmp_path: Path) -> None:
    history = SqliteHistory(str(tmp_path / "small.db"), 160 * 1024)
    contents = [KEY._replace(content=f"{index:032x}") for index in range(20)]
    for minute in range(240):
        history.add(NOW_S + minute * MINUTE_S, {key: Sums(viewer_ms=1, cdn_bytes=2**40) for key in contents})
    now_s = NOW_S + 240 * MINUTE_S
    history.sweep(now_s)
    assert history.size_bytes() <= 160 * 1024
    minutes = history.series(Scope(NOW_S, now_s), now_s)
    assert 0 < len(minutes) < 240
    assert minutes[-1].at_s == now_s - MINUTE_S, "the newest are there"
    whole_days = history.series(Scope(NOW_S - 70 * DAY_S, now_s), now_s)
    assert sum(point.sums.viewer_ms for point in whole_days) == 240 * 20


WRITER = """
import sys
from peerpool.core.ledger import LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.sqlite_history import SqliteHistory
history = SqliteHistory(sys.argv[1], 2**30)
key = LedgerKey("s", "c", Group.SHARING)
at_s = int(sys.argv[2])
while True:
    history.add(at_s, {key: Sums(joins=1, cdn_bytes=7)}, {}, {("s", "refused:full"): 1})
    print("written", flush=True)
"""


def test_a_writer_that_is_killed_loses_nothing_it_had_written_and_counts_nothing_twice(tmp_path: Path) -> None:
    path = str(tmp_path / "killed.db")
    written = 0
    for _ in range(KILLS):
        process = subprocess.Popen([sys.executable, "-c", WRITER, path, str(NOW_S - 60)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process:
            for _ in range(3):
                assert process.stdout.readline() == b"written\n"
            process.send_signal(signal.SIGKILL)
            written += 3 + process.stdout.read().count(b"\n")
        # It may have been killed between the commit and the word of it.
        counts = set()
        for span_s in KEPT_S:
            db = sqlite3.connect(path)
            row = db.execute("SELECT SUM(joins), SUM(cdn_bytes) FROM sums WHERE span_s = ?", (span_s,)).fetchone()
            events = db.execute("SELECT SUM(count) FROM events WHERE span_s = ?", (span_s,)).fetchone()
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
            assert row[1] == 7 * row[0]
            counts.add((row[0], events[0]))
        ((joins, events_count),) = counts
        assert joins == events_count
        assert written <= joins <= written + 1
        written = joins


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, and long enough to be looked at" * 20)
    with pytest.raises(ConfigError, match=r"text\.db cannot be used"):
        SqliteHistory(str(tmp_path / "text.db"), MAX_BYTES)


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "newer.db")
    SqliteHistory(path, MAX_BYTES).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(ConfigError, match="newer version"):
        SqliteHistory(path, MAX_BYTES)


def test_what_cannot_be_written_is_an_os_error_and_leaves_nothing_behind(history: SqliteHistory) -> None:
    history._db.execute("PRAGMA query_only = 1")
    with pytest.raises(OSError, match="cannot be written"):
        history.add(NOW_S - 60, {KEY: Sums(joins=1)})
    history._db.execute("PRAGMA query_only = 0")
    history.add(NOW_S - 60, {KEY: Sums(joins=1)})
    assert sum(point.sums.joins for point in history.series(last(HOUR_S), NOW_S)) == 1
