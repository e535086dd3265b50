"""Opens the history that the settings name."""

from __future__ import annotations

from peerpool.core.errors import ConfigError
from peerpool.history import MEMORY, History
from peerpool.sqlite_history import SqliteHistory

POSTGRES_SCHEMES = ("postgresql://", "postgres://")


def open_history(where: str, max_bytes: int) -> History:
    """Return the history at a path, at the URL of a PostgreSQL, or, where there is neither, in memory.

    `max_bytes` bounds files and memory. Raises ConfigError.
    """
    if not where.startswith(POSTGRES_SCHEMES):
        return SqliteHistory(where or MEMORY, max_bytes)
    try:
        from peerpool.postgres_history import PostgresHistory  # noqa: PLC0415 - psycopg is optional
    except ImportError:
        raise ConfigError("a history in PostgreSQL needs psycopg: pip install 'media-peerpool[postgres]'") from None
    return PostgresHistory(where)
