"""The history: sums of each content by minute, hour and day, in one SQLite file.

Each write adds the same sums to their minute, their hour and their day in one transaction: a process that is killed
loses what it had not written yet, and nothing is counted twice or rolled up late. What is older than its resolution is
kept for goes; so does the oldest where the file would be larger than it may be. Methods block, and may be called from
any thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from peerpool.core.errors import ConfigError
from peerpool.core.ledger import COLUMNS, LedgerKey, Sums
from peerpool.core.seats import Group

# The path of a history that is kept in memory.
MEMORY: Final = ":memory:"
MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400
# Resolution -> how long it is kept for (seconds): minutes to look into what happened, days to compare years.
KEPT_S: Final = {MINUTE_S: 3 * DAY_S, HOUR_S: 62 * DAY_S, DAY_S: 3 * 366 * DAY_S}
# More points than a chart has pixels are of no use.
POINTS_MAX: Final = 800
CONTENTS_MAX: Final = 500
SWEEP_INTERVAL_S: Final = 600
# Of the size that the file may have, so much is left when the oldest was removed: not one row at a time.
SWEPT_PART: Final = 0.9
# Steps of one resolution that go at once when the file is too large.
SWEEP_STEPS: Final = 60
BUSY_TIMEOUT_S: Final = 10.0
# The write-ahead log is cut to this size when it was written back; until then it holds about a thousand pages.
LOG_BYTES: Final = 4 * 1024 * 1024

# Each entry makes a file of the version before it one of its own. Released ones are never changed.
MIGRATIONS: Final = (
    (
        "CREATE TABLE contents (id INTEGER PRIMARY KEY, site TEXT NOT NULL, content TEXT NOT NULL,"
        " name TEXT NOT NULL DEFAULT '', UNIQUE (site, content))",
        "CREATE TABLE sums (span_s INTEGER NOT NULL, at_s INTEGER NOT NULL, content_id INTEGER NOT NULL,"
        f" held_out INTEGER NOT NULL, {', '.join(f'{name} INTEGER NOT NULL' for name in COLUMNS)},"
        " PRIMARY KEY (span_s, at_s, content_id, held_out)) WITHOUT ROWID",
        "CREATE TABLE events (span_s INTEGER NOT NULL, at_s INTEGER NOT NULL, site TEXT NOT NULL, name TEXT NOT NULL,"
        " count INTEGER NOT NULL, PRIMARY KEY (span_s, at_s, site, name)) WITHOUT ROWID",
    ),
)
_NAMES: Final = ", ".join(COLUMNS)
_ADD: Final = (
    f"INSERT INTO sums (span_s, at_s, content_id, held_out, {_NAMES}) VALUES (?, ?, ?, ?{', ?' * len(COLUMNS)})"
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in COLUMNS)}"
)
_ADD_EVENT: Final = (
    "INSERT INTO events (span_s, at_s, site, name, count) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET count = count + excluded.count"
)
_ADD_CONTENT: Final = (
    "INSERT INTO contents (site, content, name) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END RETURNING id"
)
_SUMMED: Final = ", ".join(f"SUM({name})" for name in COLUMNS)


class Scope(NamedTuple):
    """What to look at: from `since_s` to before `until_s` (of the epoch), of one site or content, or of all."""

    since_s: int
    until_s: int
    site: str | None = None
    content: str | None = None

    def span_s(self, now_s: int) -> int:
        """Return the finest resolution that is kept for as long and has few enough points."""
        for span_s, kept_s in KEPT_S.items():
            if self.since_s >= now_s - kept_s and self.until_s - self.since_s <= POINTS_MAX * span_s:
                return span_s
        return DAY_S


class Point(NamedTuple):
    """Sums of one group from `at_s` on."""

    at_s: int
    group: Group
    sums: Sums


class ContentTotal(NamedTuple):
    """Sums of one content and group; the content without a name is all that were not kept one by one."""

    site: str
    content: str
    name: str
    group: Group
    sums: Sums


class History:
    """One file."""

    def __init__(self, path: str, max_bytes: int) -> None:
        """Open the file, which is made if it is not there; MEMORY is none. Raises ConfigError."""
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._ids: dict[tuple[str, str], int] = {}
        self._swept_s = 0
        try:
            self._db = _opened(path)
            with self._transaction():
                self._migrate()
        except sqlite3.Error as error:
            raise ConfigError(f"history: {path} cannot be used: {error}") from None

    def close(self) -> None:
        """Write the log back and let go of the file."""
        with self._lock:
            self._db.close()

    def add(
        self,
        at_s: int,
        sums: Mapping[LedgerKey, Sums],
        names: Mapping[str, str] | None = None,
        events: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        """Add what was counted until `at_s` (of the epoch), all or nothing. `events` are by site and name.

        Raises OSError where it cannot be written.
        """
        try:
            with self._transaction():
                for key, one in sums.items():
                    values = [getattr(one, name) for name in COLUMNS]
                    if any(values):
                        content_id = self._content_id(key, (names or {}).get(key.content, ""))
                        is_held_out = key.group is Group.HOLDOUT
                        rows = [(span_s, at_s - at_s % span_s, content_id, is_held_out, *values) for span_s in KEPT_S]
                        self._db.executemany(_ADD, rows)
                for (site, name), count in (events or {}).items():
                    rows_of_event = [(span_s, at_s - at_s % span_s, site, name, count) for span_s in KEPT_S]
                    self._db.executemany(_ADD_EVENT, rows_of_event)
            if at_s >= self._swept_s + SWEEP_INTERVAL_S:
                self._swept_s = at_s
                self.sweep(at_s)
        except sqlite3.Error as error:
            self._ids.clear()  # some may have been of what was undone
            raise OSError(f"history: {self.path} cannot be written: {error}") from error

    def series(self, scope: Scope, now_s: int) -> list[Point]:
        """Return the sums of each step that has any, in order, of each group."""
        where, values = _where(scope, scope.span_s(now_s))
        sql = (
            f"SELECT at_s, held_out, {_SUMMED} FROM sums JOIN contents ON contents.id = content_id"
            f" WHERE {where} GROUP BY at_s, held_out ORDER BY at_s, held_out"
        )
        return [Point(at_s, _group(held_out), Sums(*counts)) for at_s, held_out, *counts in self._read(sql, values)]

    def contents(self, scope: Scope, now_s: int) -> list[ContentTotal]:
        """Return the contents that were watched most, at most CONTENTS_MAX rows."""
        where, values = _where(scope, scope.span_s(now_s))
        sql = (
            f"SELECT site, content, name, held_out, {_SUMMED} FROM sums"
            f" JOIN contents ON contents.id = content_id WHERE {where} GROUP BY content_id, held_out"
            f" ORDER BY SUM(viewer_ms) DESC LIMIT {CONTENTS_MAX}"
        )
        return [
            ContentTotal(site, content, name, _group(held_out), Sums(*counts))
            for site, content, name, held_out, *counts in self._read(sql, values)
        ]

    def events(self, scope: Scope, now_s: int) -> dict[str, int]:
        """Return how often each event came; those of a content are not known."""
        where, values = _where(scope._replace(content=None), scope.span_s(now_s))
        sql = f"SELECT name, SUM(count) FROM events WHERE {where} GROUP BY name ORDER BY name"
        return dict(self._read(sql, values))

    def size_bytes(self) -> int:
        """Return how large the file is that holds what is in it."""
        return self._pages("page_count") * self._pages("page_size")

    def sweep(self, now_s: int) -> None:
        """Remove what is kept no longer, and the oldest where the file is too large."""
        with self._transaction():
            for span_s, kept_s in KEPT_S.items():
                self._remove_before(span_s, now_s - kept_s)
        is_too_large = self.size_bytes() > self._max_bytes
        while is_too_large and self._used_bytes() > self._max_bytes * SWEPT_PART:
            with self._transaction():
                is_too_large = self._remove_oldest()
        with self._transaction():
            self._db.execute("DELETE FROM contents WHERE id NOT IN (SELECT content_id FROM sums)")
            self._ids.clear()
        with self._lock:
            self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _remove_oldest(self) -> bool:
        """Remove some steps of the finest resolution that has any; say whether there were any."""
        for span_s in KEPT_S:
            (oldest_s,) = self._db.execute("SELECT MIN(at_s) FROM sums WHERE span_s = ?", (span_s,)).fetchone()
            if oldest_s is not None:
                self._remove_before(span_s, oldest_s + SWEEP_STEPS * span_s)
                return True
        return False

    def _remove_before(self, span_s: int, at_s: int) -> None:
        for table in ("sums", "events"):
            self._db.execute(f"DELETE FROM {table} WHERE span_s = ? AND at_s < ?", (span_s, at_s))

    def _used_bytes(self) -> int:
        used = self._pages("page_count") - self._pages("freelist_count")
        return used * self._pages("page_size")

    def _pages(self, pragma: str) -> int:
        with self._lock:
            (number,) = self._db.execute(f"PRAGMA {pragma}").fetchone()
        return int(number)

    def _content_id(self, key: LedgerKey, name: str) -> int:
        known = self._ids.get(key[:2])
        if known is None or name:
            (known,) = self._db.execute(_ADD_CONTENT, (key.site, key.content, name)).fetchone()
            self._ids[key[:2]] = known
        return known

    def _read(self, sql: str, values: list[object]) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"history: {self.path} was written by a newer version (its format is {version}, this one knows"
                f" {len(MIGRATIONS)}); use that, or name another file"
            )
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _opened(path: str) -> sqlite3.Connection:
    if path != MEMORY:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file only
    db.execute("PRAGMA journal_mode = WAL")
    # What a killed process had committed is there; a machine that loses its power may lose the last of it.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    return db


def _where(scope: Scope, span_s: int) -> tuple[str, list[object]]:
    where = "span_s = ? AND at_s >= ? AND at_s < ?"
    values: list[object] = [span_s, scope.since_s - scope.since_s % span_s, scope.until_s]
    for column, value in (("site", scope.site), ("content", scope.content)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    return where, values


def _group(held_out: object) -> Group:
    return Group.HOLDOUT if held_out else Group.SHARING
