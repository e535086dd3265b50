"""The history of several trackers in one real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from peerpool.core.errors import ConfigError
from peerpool.core.ledger import OTHERS, LedgerKey, Sums
from peerpool.core.seats import Group
from peerpool.histories import open_history
from peerpool.history import DAY_S, FORMAT, HOUR_S, KEPT_S, MINUTE_S, Scope
from peerpool.postgres_history import PostgresHistory

from e2e.harness.child import free_port
from e2e.harness.postgres_server import PostgresServer, available
from tests.servers import running_server

pytestmark = pytest.mark.skipif(not available(), reason="needs PostgreSQL (Debian: postgresql)")

NOW_S = 1_700_000_000 - 1_700_000_000 % DAY_S
KEY = LedgerKey("s", "c" * 32, Group.SHARING)
HELD_OUT = LedgerKey("s", OTHERS, Group.HOLDOUT)
LAST_DAY = Scope(NOW_S - DAY_S, NOW_S)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    started = PostgresServer()
    started.start()
    started.make_database()
    yield started
    started.stop()
    started.remove()


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    yield server.url
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("DROP SCHEMA IF EXISTS peerpool CASCADE")


@pytest.fixture
def history(url: str) -> Iterator[PostgresHistory]:
    opened = PostgresHistory(url)
    yield opened
    opened.close()


def cdn_bytes(history: PostgresHistory, scope: Scope = LAST_DAY) -> int:
    return sum(point.sums.cdn_bytes for point in history.series(scope, NOW_S))


def test_what_was_added_is_there_at_every_resolution_with_names_and_events(history: PostgresHistory) -> None:
    for minute in range(90):
        at_s = NOW_S - 90 * MINUTE_S + minute * MINUTE_S
        sums = {KEY: Sums(viewer_ms=1, cdn_bytes=2**41), HELD_OUT: Sums(stalls=1)}
        history.add(at_s, sums, {KEY.content: "a film"}, {("s", "refused:full"): 1})
    for length_s in (2 * HOUR_S, 4 * DAY_S, 90 * DAY_S):
        scope = Scope(NOW_S - length_s, NOW_S)
        assert cdn_bytes(history, scope) == 90 * 2**41
        assert history.events(scope, NOW_S) == {"refused:full": 90}
    rows = history.contents(LAST_DAY, NOW_S)
    assert [(row.content, row.name, row.group) for row in rows] == [
        (KEY.content, "a film", Group.SHARING),
        (OTHERS, "", Group.HOLDOUT),
    ]
    assert history.size_bytes() > 0


def test_two_trackers_add_to_the_same_sums_at_once(url: str, history: PostgresHistory) -> None:
    contents = [KEY._replace(content=f"{number:032x}") for number in range(20)]

    def work(order: int) -> None:
        own = PostgresHistory(url)
        for _ in range(30):
            own.add(NOW_S - 60, {key: Sums(cdn_bytes=1) for key in contents[::order]})
        own.close()

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cdn_bytes(history) == 3 * 30 * len(contents)


def test_a_server_that_goes_and_comes_back_costs_nothing(server: PostgresServer, history: PostgresHistory) -> None:
    history.add(NOW_S - 60, {KEY: Sums(cdn_bytes=1)})
    server.stop()
    with pytest.raises(OSError, match="cannot be written"):
        history.add(NOW_S - 60, {KEY: Sums(cdn_bytes=2)})
    server.start()
    history.add(NOW_S - 60, {KEY: Sums(cdn_bytes=2 + 4)})
    assert cdn_bytes(history) == 7


def test_a_write_whose_end_was_not_heard_of_is_not_counted_twice(
    history: PostgresHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = psycopg.Connection.transaction

    def breaking(self: psycopg.Connection[object], *arguments: object) -> object:
        return Breaking(real(self, *arguments))  # type: ignore[arg-type]

    class Breaking:
        """A transaction whose commit is done, and whose connection breaks before the answer is there."""

        def __init__(self, inner: object) -> None:
            self._inner = inner

        def __enter__(self) -> object:
            return self._inner.__enter__()  # type: ignore[attr-defined]

        def __exit__(self, *error: object) -> None:
            self._inner.__exit__(*error)  # type: ignore[attr-defined]
            raise psycopg.OperationalError("the connection broke")

    monkeypatch.setattr(psycopg.Connection, "transaction", breaking)
    with pytest.raises(OSError, match="broke"):
        history.add(NOW_S - 60, {KEY: Sums(cdn_bytes=5, joins=1)}, None, {("s", "bans"): 2})
    monkeypatch.undo()
    # As the recorder does: what was not said to be written, and what came since.
    history.add(NOW_S - 60, {KEY: Sums(cdn_bytes=5 + 3, joins=1)}, None, {("s", "bans"): 2 + 1})
    assert cdn_bytes(history) == 8
    assert sum(point.sums.joins for point in history.series(LAST_DAY, NOW_S)) == 1
    assert history.events(LAST_DAY, NOW_S) == {"bans": 3}


def test_what_is_kept_no_longer_goes(history: PostgresHistory) -> None:
    for days in (4, 100, 2_000):
        history.add(NOW_S - days * DAY_S, {KEY._replace(content=f"{days:032x}"): Sums(joins=1)})
    history.sweep(NOW_S)
    for span_s, kept_s in KEPT_S.items():
        rows = history._execute("SELECT MIN(at_s) FROM sums WHERE span_s = ?", (span_s,))
        assert rows[0][0] is None or rows[0][0] >= NOW_S - kept_s
    assert history._execute("SELECT COUNT(*) FROM contents") == [(2,)]


def test_a_database_of_a_newer_version_is_left_alone(url: str, history: PostgresHistory) -> None:
    history._execute("UPDATE format SET version = ?", (FORMAT + 1,))
    with pytest.raises(ConfigError, match="newer version"):
        PostgresHistory(url)


def test_what_is_no_database_is_said_without_its_password() -> None:
    for where in (f"postgresql://me:secret@127.0.0.1:{free_port()}/x", "postgresql://me:secret@127.0.0.1:x/y"):
        with pytest.raises(ConfigError, match="history: ") as refused:
            open_history(where, 10**9)
        assert "secret" not in str(refused.value)


def test_a_tracker_keeps_its_history_there(url: str) -> None:
    with running_server(history=url, admin_token="a token of the operator") as running:
        assert running.process.stdout is not None
        said = ""
        while "dashboard" not in said:
            said = running.process.stdout.readline()
        assert "PostgreSQL 127.0.0.1/peerpool" in said
