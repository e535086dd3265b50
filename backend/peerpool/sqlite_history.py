"""The history in one SQLite file, or in memory: write-ahead log, bounded size, formats of older versions migrated."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from peerpool.core.errors import ConfigError
from peerpool.history import FORMAT, KEPT_S, MEMORY, History, newer_format, tables

# Of the size that the file may have, so much is left when the oldest was removed: not one row at a time.
SWEPT_PART: Final = 0.9
# Steps of one resolution that go at once when the file is too large.
SWEEP_STEPS: Final = 60
BUSY_TIMEOUT_S: Final = 10.0
# The write-ahead log is cut to this size when it was written back; until then it holds about a thousand pages.
LOG_BYTES: Final = 4 * 1024 * 1024
# Each entry makes a file of the format before it one of its own. Released ones are never changed.
MIGRATIONS: Final = (tables("INTEGER PRIMARY KEY", "INTEGER", " WITHOUT ROWID"),)
assert len(MIGRATIONS) == FORMAT  # noqa: S101


class SqliteHistory(History):
    """One file."""

    def __init__(self, path: str, max_bytes: int) -> None:
        """Open the file, which is made if it is not there; MEMORY is none. Raises ConfigError."""
        super().__init__()
        self.name = path
        self._max_bytes = max_bytes
        # Held by who has a transaction open, and entered again by each statement in it.
        self._lock = threading.RLock()
        try:
            self._db = _opened(path)
            with self._transaction():
                self._migrate()
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"history: {path} cannot be used: {error}") from None

    def close(self) -> None:
        """Write the log back and let go of the file."""
        with self._lock:
            self._db.close()

    def size_bytes(self) -> int:
        """Return how large the file is that holds what is in it."""
        return self._pragma("page_count") * self._pragma("page_size")

    def _shrink(self) -> None:
        is_too_large = self.size_bytes() > self._max_bytes
        while is_too_large and self._used_bytes() > self._max_bytes * SWEPT_PART:
            with self._transaction():
                is_too_large = self._remove_oldest()
        try:
            with self._lock:
                self._db.executescript("PRAGMA incremental_vacuum;")  # `execute` stops after the first page
        except sqlite3.Error as error:
            raise OSError(f"history: {self.name} cannot be made smaller: {error}") from error

    def _remove_oldest(self) -> bool:
        """Remove some steps of the finest resolution that has any; say whether there were any."""
        for span_s in KEPT_S:
            ((oldest_s,),) = self._execute("SELECT MIN(at_s) FROM sums WHERE span_s = ?", (span_s,))
            if oldest_s is not None:
                self._remove_before(span_s, oldest_s + SWEEP_STEPS * span_s)
                return True
        return False

    def _used_bytes(self) -> int:
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        ((number,),) = self._execute(f"PRAGMA {name}")
        return int(number)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._execute("ROLLBACK")
                raise
            self._execute("COMMIT")

    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            with self._lock:
                return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise OSError(f"history: {self.name} cannot be written or read: {error}") from error

    def _execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        try:
            with self._lock:
                self._db.executemany(statement, rows)
        except sqlite3.Error as error:
            raise OSError(f"history: {self.name} cannot be written: {error}") from error

    def _migrate(self) -> None:
        version = self._pragma("user_version")
        if version > FORMAT:
            raise ConfigError(newer_format(self.name, version))
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                self._execute(statement)
        self._execute(f"PRAGMA user_version = {FORMAT}")


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
