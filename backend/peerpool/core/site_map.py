"""The operator's own map: which of its networks are which site, of whom, where. Closest network wins.

A CSV file with a header; `network` is required, the rest as far as it is known:

    network,site,group,country,city
    10.1.0.0/16,Berlin,Example Ltd,DE,Berlin
    10.1.8.0/22,Berlin studio,Example Ltd,DE,Berlin
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Final

from peerpool.core.addresses import Address
from peerpool.core.errors import ConfigError
from peerpool.core.places import MAX_NAME_CHARS, NOTHING, Facts

# `group` stands where a provider does: the sites of one group are one network to themselves.
COLUMNS: Final = ("network", "site", "group", "continent", "country", "region", "city")
MAX_NETWORKS: Final = 100_000


class SiteMap:
    """Networks to facts, by the longest matching prefix."""

    def __init__(self) -> None:
        self._by_prefix: dict[tuple[int, int], dict[int, Facts]] = {}
        self._prefixes: list[tuple[int, int]] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, network: str, facts: Facts) -> None:
        """Map a network in CIDR notation. Raises ValueError when it is none, or is there already."""
        parsed = ip_network(network)
        prefix = (parsed.version, parsed.prefixlen)
        rows = self._by_prefix.setdefault(prefix, {})
        base = int(parsed.network_address)
        if base in rows:
            raise ValueError(f"{network} is there twice")
        rows[base] = facts
        self._size += 1
        self._prefixes = sorted(self._by_prefix, reverse=True)

    def facts_of(self, address: Address) -> Facts:
        """Return the facts of the closest network around `address`, or nothing."""
        for version, length in self._prefixes:
            if version == address.version:
                host_bits = address.max_prefixlen - length
                facts = self._by_prefix[version, length].get(int(address) >> host_bits << host_bits)
                if facts is not None:
                    return facts
        return NOTHING


def read_site_map(rows: Iterable[Mapping[str | None, object]], name: str) -> SiteMap:
    """Return the map in the rows of `csv.DictReader`; `name` is the file's, for messages. Raises ConfigError."""
    sites = SiteMap()
    for line, row in enumerate(rows, start=2):
        unknown = [str(column) for column in row if column not in COLUMNS]
        if unknown:
            raise ConfigError(f"{name}: unknown column `{unknown[0]}` (known: {', '.join(COLUMNS)})")
        fields = {str(column): str(value or "").strip() for column, value in row.items()}
        if not fields.get("network"):
            raise ConfigError(f"{name} line {line}: there is no `network`")
        too_long = [column for column, value in fields.items() if len(value) > MAX_NAME_CHARS]
        if too_long:
            raise ConfigError(f"{name} line {line}: `{too_long[0]}` has more than {MAX_NAME_CHARS} characters")
        if len(sites) >= MAX_NETWORKS:
            raise ConfigError(f"{name}: more than {MAX_NETWORKS} networks")
        try:
            sites.add(fields["network"], _facts(fields))
        except ValueError as error:
            raise ConfigError(f"{name} line {line}: {error}") from None
    return sites


def _facts(fields: Mapping[str, str]) -> Facts:
    group = fields.get("group", "")
    return Facts(
        isp=f"group:{group}" if group else "",
        isp_name=group,
        continent=fields.get("continent", "").upper(),
        country=fields.get("country", "").upper(),
        region=fields.get("region", ""),
        city=fields.get("city", ""),
        site=fields.get("site", ""),
    )
