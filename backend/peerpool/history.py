"""The history: sums of each content by minute, hour and day, in a database.

Each write adds the same sums to their minute, their hour and their day in one transaction: a process that is killed
loses what it had not written yet, and nothing is counted twice or rolled up late (docs/adr/0023). What is older than
its resolution is kept for goes. Statements are those that SQLite and PostgreSQL both take; what differs is in
`sqlite_history.py` and `postgres_history.py`. Methods block, and may be called from any thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

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
FORMAT: Final = 1

_NAMES: Final = ", ".join(COLUMNS)
_ADD: Final = (
    f"INSERT INTO sums (span_s, at_s, content_id, held_out, {_NAMES}) VALUES (?, ?, ?, ?{', ?' * len(COLUMNS)})"
    " ON CONFLICT (span_s, at_s, content_id, held_out)"
    f" DO UPDATE SET {', '.join(f'{name} = sums.{name} + excluded.{name}' for name in COLUMNS)}"
)
_ADD_EVENT: Final = (
    "INSERT INTO events (span_s, at_s, site, name, count) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (span_s, at_s, site, name) DO UPDATE SET count = events.count + excluded.count"
)
_ADD_CONTENT: Final = (
    "INSERT INTO contents (site, content, name) VALUES (?, ?, ?) ON CONFLICT (site, content) DO UPDATE"
    " SET name = CASE WHEN excluded.name = '' THEN contents.name ELSE excluded.name END RETURNING id"
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


class History(ABC):
    """One database. `name` is what may be shown of where it is."""

    name: str

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}
        self._swept_s = 0

    @property
    def is_lasting(self) -> bool:
        """Whether it outlives the process."""
        return self.name != MEMORY

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Return how large it is."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """All of what is executed within, or nothing of it. Raises OSError where it cannot be done."""

    @abstractmethod
    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Execute a statement with `?` for each value, and return its rows. Raises OSError."""

    @abstractmethod
    def _execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Execute a statement for each row. Raises OSError."""

    def _shrink(self) -> None:  # noqa: B027 - not every database is bounded here
        """Remove the oldest where it is larger than it may be: nothing, where nobody bounds it."""

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
                # In one order, so that two nodes do not wait for each other.
                for key in sorted(sums, key=lambda key: (key.site, key.content, key.group.value)):
                    self._add_sums(at_s, key, sums[key], (names or {}).get(key.content, ""))
                for (site, name), count in sorted((events or {}).items()):
                    rows = [(span_s, at_s - at_s % span_s, site, name, count) for span_s in KEPT_S]
                    self._execute_many(_ADD_EVENT, rows)
        except OSError:
            self._ids.clear()  # some may have been of what was undone
            raise

    def sweep_in_time(self, now_s: int) -> None:
        """Sweep, unless it was done a while ago. Raises OSError."""
        if now_s >= self._swept_s + SWEEP_INTERVAL_S:
            self._swept_s = now_s
            self.sweep(now_s)

    def series(self, scope: Scope, now_s: int) -> list[Point]:
        """Return the sums of each step that has any, in order, of each group."""
        where, values = _where(scope, scope.span_s(now_s))
        statement = (
            f"SELECT at_s, held_out, {_SUMMED} FROM sums JOIN contents ON contents.id = content_id"
            f" WHERE {where} GROUP BY at_s, held_out ORDER BY at_s, held_out"
        )
        rows = self._execute(statement, values)
        return [Point(at_s, _group(held_out), _sums(counts)) for at_s, held_out, *counts in rows]

    def contents(self, scope: Scope, now_s: int) -> list[ContentTotal]:
        """Return the contents that were watched most, at most CONTENTS_MAX rows."""
        where, values = _where(scope, scope.span_s(now_s))
        statement = (
            f"SELECT site, content, name, held_out, {_SUMMED} FROM sums"
            f" JOIN contents ON contents.id = content_id WHERE {where} GROUP BY site, content, name, held_out"
            f" ORDER BY SUM(viewer_ms) DESC, site, content LIMIT {CONTENTS_MAX}"
        )
        return [
            ContentTotal(site, content, name, _group(held_out), _sums(counts))
            for site, content, name, held_out, *counts in self._execute(statement, values)
        ]

    def events(self, scope: Scope, now_s: int) -> dict[str, int]:
        """Return how often each event came; those of a content are not known."""
        where, values = _where(scope._replace(content=None), scope.span_s(now_s))
        statement = f"SELECT name, SUM(count) FROM events WHERE {where} GROUP BY name ORDER BY name"
        return {name: int(count) for name, count in self._execute(statement, values)}

    def sweep(self, now_s: int) -> None:
        """Remove what is kept no longer, and the oldest where it is too large. Raises OSError."""
        with self._transaction():
            for span_s, kept_s in KEPT_S.items():
                self._remove_before(span_s, now_s - kept_s)
        self._shrink()
        with self._transaction():
            self._execute("DELETE FROM contents WHERE id NOT IN (SELECT content_id FROM sums)")
            self._ids.clear()

    def _add_sums(self, at_s: int, key: LedgerKey, sums: Sums, name: str) -> None:
        values = [getattr(sums, column) for column in COLUMNS]
        if any(values):
            content_id = self._content_id(key, name)
            is_held_out = int(key.group is Group.HOLDOUT)
            rows = [(span_s, at_s - at_s % span_s, content_id, is_held_out, *values) for span_s in KEPT_S]
            self._execute_many(_ADD, rows)

    def _remove_before(self, span_s: int, at_s: int) -> None:
        for table in ("sums", "events"):
            self._execute(f"DELETE FROM {table} WHERE span_s = ? AND at_s < ?", (span_s, at_s))

    def _content_id(self, key: LedgerKey, name: str) -> int:
        known = self._ids.get(key[:2])
        if known is None or name:
            ((known,),) = self._execute(_ADD_CONTENT, (key.site, key.content, name))
            self._ids[key[:2]] = known
        return known


def tables(identity: str, integer: str, options: str = "") -> tuple[str, ...]:
    """Return the statements that make the tables of FORMAT, in a dialect's words."""
    return (
        f"CREATE TABLE contents (id {identity}, site TEXT NOT NULL, content TEXT NOT NULL,"
        " name TEXT NOT NULL DEFAULT '', UNIQUE (site, content))",
        f"CREATE TABLE sums (span_s {integer} NOT NULL, at_s {integer} NOT NULL, content_id {integer} NOT NULL,"
        f" held_out {integer} NOT NULL, {', '.join(f'{name} {integer} NOT NULL' for name in COLUMNS)},"
        f" PRIMARY KEY (span_s, at_s, content_id, held_out)){options}",
        f"CREATE TABLE events (span_s {integer} NOT NULL, at_s {integer} NOT NULL, site TEXT NOT NULL,"
        f" name TEXT NOT NULL, count {integer} NOT NULL, PRIMARY KEY (span_s, at_s, site, name)){options}",
    )


def newer_format(name: str, version: int) -> str:
    """Return what is said of a history of a version that is not known yet."""
    return (
        f"history: {name} was written by a newer version (its format is {version}, this one knows {FORMAT}); use that"
        " version, or name another history"
    )


def _where(scope: Scope, span_s: int) -> tuple[str, list[object]]:
    where = "span_s = ? AND at_s >= ? AND at_s < ?"
    values: list[object] = [span_s, scope.since_s - scope.since_s % span_s, scope.until_s]
    for column, value in (("site", scope.site), ("content", scope.content)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    return where, values


def _sums(counts: Sequence[Any]) -> Sums:
    return Sums(*map(int, counts))  # PostgreSQL's sums are decimals


def _group(held_out: object) -> Group:
    return Group.HOLDOUT if held_out else Group.SHARING
