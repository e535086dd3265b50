"""The file that names the sites (docs/sites.md): TOML to rules, with errors that say where and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from peerpool.core.errors import ConfigError
from peerpool.core.sites import Site
from peerpool.toml_file import read_toml

# One process serves no more customers than this.
SITES_MAX: Final = 1_000


def read_sites(path: Path) -> list[Site]:
    """Return the sites of a file. Raises ConfigError, which never has a secret in it."""
    document = read_toml(path)
    unknown = sorted(document.keys() - {"site"})
    if unknown:
        raise ConfigError(f"{path}: unknown field `{unknown[0][:80]}`: all there is are [[site]] tables")
    tables = document.get("site")
    if not isinstance(tables, list) or not tables:
        # An editor that is half way through writing looks like this too.
        raise ConfigError(f"{path}: there is no [[site]] in it (to switch one off set `enabled = false`)")
    if len(tables) > SITES_MAX:
        raise ConfigError(f"{path}: {len(tables)} sites are more than {SITES_MAX}")
    sites = [_site(path, number, table) for number, table in enumerate(tables, 1)]
    names = [site.id for site in sites]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}: two sites have the id `{twice}`")
    return sites


def _site(path: Path, number: int, table: Any) -> Site:
    try:
        return msgspec.convert(table, Site)
    except msgspec.ValidationError as error:
        known = ", ".join(Site.__struct_fields__)
        raise ConfigError(f"{path}, [[site]] number {number}: {error} (known fields: {known})") from None


def find_site(sites: list[Site], site_id: str) -> Site:
    """Return the site of this id. Raises ConfigError."""
    found = next((site for site in sites if site.id == site_id), None)
    if found is None:
        raise ConfigError(f"there is no site `{site_id}` in the file (there are: {', '.join(one.id for one in sites)})")
    return found
