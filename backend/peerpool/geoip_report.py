"""What `peerpool geoip check` says of a file: which schema it has, what of it is used, what it knows of an address."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from peerpool.core.addresses import parse_address
from peerpool.core.errors import ConfigError
from peerpool.core.places import Facts, Level, facts_in
from peerpool.geoip import Locator, open_database, open_site_map

# Enough to see which fields a database has; a whole one takes a minute to walk.
SAMPLED_NETWORKS: Final = 2000
# What the tracker does with each field, for people.
USES: Final = {
    "isp": "provider (ASN)",
    "continent": "continent",
    "country": "country",
    "city": "city",
    "latitude": "coordinates",
}


def report(path: Path, address: str = "") -> Iterator[str]:
    """Yield lines about the file, and about an address if one is given. Raises ConfigError."""
    if address and parse_address(address) is None:
        raise ConfigError(f"{address} is not an IP address")
    is_map = path.suffix.lower() == ".csv"
    yield from _about_map(path) if is_map else _about_database(path)
    if address:
        locator = Locator(site_map=str(path)) if is_map else Locator([str(path)])
        yield from _about_address(locator, address)


def _about_map(path: Path) -> Iterator[str]:
    yield f"{path}: a map of {len(open_site_map(path))} networks"


def _about_database(path: Path) -> Iterator[str]:
    with open_database(path) as reader:
        metadata = reader.metadata()
        built = datetime.fromtimestamp(metadata.build_epoch, UTC).date()
        yield f"{path}: {metadata.database_type}, built {built}, IPv{metadata.ip_version}, {metadata.node_count} nodes"
        records = [facts_in(record) for _, record in itertools.islice(reader, SAMPLED_NETWORKS)]
    known = Counter(name for facts in records for name in USES if getattr(facts, name) not in ("", None))
    yield f"of its first {len(records)} networks it knows:"
    for name, use in USES.items():
        share = known[name] / len(records) if records else 0
        yield f"  {use:<16} {share:>4.0%}" + ("" if known[name] else "  (nothing that is recognised)")
    if not known:
        yield "Nothing in it is of use: it is no database of providers, countries or cities, or its schema is unknown."


def _about_address(locator: Locator, address: str) -> Iterator[str]:
    facts: Facts = locator.facts(parse_address(address))
    place = locator.locate(address)
    yield f"{address}:"
    for name, value in facts._asdict().items():
        if value not in ("", None):
            yield f"  {name:<10} {value}"
    yield "its place in the tracker, loosest first (- is unknown):"
    for level, name in zip(list(Level)[1:], place.path(), strict=True):
        yield f"  {level.name.lower():<10} {name or '-'}"
