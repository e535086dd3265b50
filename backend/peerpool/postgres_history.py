"""The history of several trackers in one PostgreSQL: each adds its sums to those of the others.

A connection that breaks is made again at the next call. Where it breaks in the commit itself, a tracker cannot know
whether its five seconds are there: it asks for the number of that write before it writes again.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from peerpool.core.errors import ConfigError
from peerpool.core.ledger import COLUMNS, LedgerKey, Sums
from peerpool.history import FORMAT, History, newer_format, tables

CONNECT_TIMEOUT_S: Final = 5
# Of pg_advisory_xact_lock: who makes the tables; two trackers begin at once.
MIGRATION_LOCK: Final = 0x70656572
# Numbers of writes are kept so long (seconds): a tracker asks within minutes, or is no more.
WRITES_KEPT: Final = "1 hour"
MIGRATIONS: Final = (
    (
        *tables("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT"),
        "CREATE TABLE writes (number BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now())",
    ),
)
assert len(MIGRATIONS) == FORMAT  # noqa: S101


class PostgresHistory(History):
    """One database, with the tables in the schema `peerpool`."""

    def __init__(self, url: str) -> None:
        """Connect, and make what is not there. Raises ConfigError."""
        super().__init__()
        try:
            where = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise ConfigError(f"history: no URL of a PostgreSQL: {error}") from None
        self.name = f"PostgreSQL {where.get('host', 'here')}/{where.get('dbname', '')}"  # without its password
        self._url = url
        self._lock = threading.RLock()
        self._db: psycopg.Connection[Any] | None = None
        # The write whose end is not known, and what was in it.
        # Of the write under way, until its transaction has begun.
        self._number: int | None = None
        self._doubtful: tuple[int, dict[LedgerKey, Sums], dict[tuple[str, str], int]] | None = None
        try:
            self._migrate()
        except OSError as error:
            raise ConfigError(str(error)) from None
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            if self._db is not None:
                self._db.close()

    def size_bytes(self) -> int:
        """Return how large tables and indices are."""
        tables_ = "SUM(pg_total_relation_size(c.oid))"
        statement = f"SELECT COALESCE({tables_}, 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        ((size,),) = self._execute(f"{statement} WHERE n.nspname = 'peerpool' AND c.relkind = 'r'")
        return int(size)

    def add(
        self,
        at_s: int,
        sums: Mapping[LedgerKey, Sums],
        names: Mapping[str, str] | None = None,
        events: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        """Add as `History.add` does; what a doubtful write has brought after all is not added again."""
        with self._lock:
            sums, events = self._without_doubtful(dict(sums), dict(events or {}))
            number = secrets.randbits(62)
            self._doubtful = (number, {key: _copy(one) for key, one in sums.items()}, dict(events))
            self._number = number
            try:
                super().add(at_s, sums, names, events)
            finally:
                self._number = None
            self._doubtful = None

    def _without_doubtful(
        self, sums: dict[LedgerKey, Sums], events: dict[tuple[str, str], int]
    ) -> tuple[dict[LedgerKey, Sums], dict[tuple[str, str], int]]:
        if self._doubtful is None:
            return sums, events
        number, written, written_events = self._doubtful
        if self._execute("SELECT 1 FROM writes WHERE number = ?", (number,)):
            for key, one in written.items():
                left = sums.get(key, Sums())
                for name in COLUMNS:
                    setattr(one, name, max(0, getattr(left, name) - getattr(one, name)))
                sums[key] = one
            events = {key: max(0, count - written_events.get(key, 0)) for key, count in events.items()}
        self._doubtful = None
        return sums, {key: count for key, count in events.items() if count}

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._complaining():
            number, self._number = self._number, None
            with self._connected().transaction():
                if number is not None:
                    self._execute("INSERT INTO writes (number) VALUES (?)", (number,))
                    self._execute(f"DELETE FROM writes WHERE at < now() - INTERVAL '{WRITES_KEPT}'")
                yield

    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, self._complaining():
            cursor = self._connected().execute(_formatted(statement), values)
            return cursor.fetchall() if cursor.description is not None else []

    def _execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        with self._lock, self._complaining():
            self._connected().cursor().executemany(_formatted(statement), rows)

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if self._db is not None and (self._db.broken or self._db.closed):
                self._db = None
            raise OSError(f"history: {self.name} cannot be written or read: {error}".strip()) from error

    def _connected(self) -> psycopg.Connection[Any]:
        if self._db is None or self._db.closed:
            self._db = psycopg.connect(
                self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, options="-c search_path=peerpool"
            )
        return self._db

    def _migrate(self) -> None:
        with self._transaction():
            self._execute("SELECT pg_advisory_xact_lock(?)", (MIGRATION_LOCK,))
            self._execute("CREATE SCHEMA IF NOT EXISTS peerpool")
            self._execute("CREATE TABLE IF NOT EXISTS peerpool.format (version BIGINT NOT NULL)")
            rows = self._execute("SELECT version FROM format")
            version = int(rows[0][0]) if rows else 0
            if version > FORMAT:
                raise ConfigError(newer_format(self.name, version))
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    self._execute(statement)
            if version != FORMAT:
                self._execute("DELETE FROM format")
                self._execute("INSERT INTO format (version) VALUES (?)", (FORMAT,))


def _copy(sums: Sums) -> Sums:
    return Sums(*(getattr(sums, name) for name in COLUMNS))


def _formatted(statement: str) -> bytes:
    """Return a statement with psycopg's placeholders."""
    return statement.replace("?", "%s").encode()
