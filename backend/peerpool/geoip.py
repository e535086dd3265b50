"""Where addresses are, from the operator's MMDB files and its own map. Files that change are read again.

A database is mapped into memory from a private copy: one that is overwritten in place while it is mapped would kill the
process. A file that cannot be read any more leaves what was read before in force.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import maxminddb

from peerpool.core.addresses import Address, parse_address
from peerpool.core.errors import ConfigError
from peerpool.core.places import NOTHING, Facts, Place, facts_in, place_of
from peerpool.core.site_map import SiteMap, read_site_map
from peerpool.watched_file import WatchedFile


def open_database(path: Path) -> maxminddb.Reader:
    """Open a copy of an MMDB file, which goes when the reader does. Raises ConfigError."""
    descriptor, copy = tempfile.mkstemp(prefix="peerpool-", suffix=".mmdb")
    os.close(descriptor)
    try:
        shutil.copyfile(path, copy)
        return maxminddb.open_database(copy)
    except maxminddb.InvalidDatabaseError as error:
        raise ConfigError(f"{path} is not an MMDB file: {error}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    finally:
        Path(copy).unlink()


def open_site_map(path: Path) -> SiteMap:
    """Read the operator's map. Raises ConfigError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a byte order mark
            return read_site_map(csv.DictReader(file), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} is not a CSV file in UTF-8: {error}") from None


class Locator:
    """Says where an address is. The operator's map comes first, then the databases in their order."""

    def __init__(self, databases: Sequence[str] = (), site_map: str = "") -> None:
        """Open all files. Raises ConfigError."""
        self._databases = [WatchedFile(Path(path), open_database) for path in databases]
        self._site_map = WatchedFile(Path(site_map), open_site_map) if site_map else None

    def locate(self, address: str) -> Place:
        """Return the place of `address`, as far as it is known; never raises."""
        parsed = parse_address(address)
        return place_of(parsed, self.facts(parsed))

    def facts(self, address: Address | None) -> Facts:
        """Return what map and databases say of `address`, together."""
        if address is None:
            return NOTHING
        facts = self._site_map.content.facts_of(address) if self._site_map else NOTHING
        for database in self._databases:
            try:
                facts = facts.or_else(facts_in(database.content.get(address)))
            except (ValueError, maxminddb.InvalidDatabaseError):
                continue  # an IPv6 address in a database of IPv4, or a damaged record
        return facts

    def refresh(self) -> int:
        """Read again what has changed; return how many files that were. Blocks for as long as the disk takes."""
        count = sum(database.refresh() for database in self._databases)
        return count + (self._site_map is not None and self._site_map.refresh())
