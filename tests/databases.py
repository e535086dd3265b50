"""Small MMDB files for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]


def write_mmdb(path: Path, networks: Mapping[str, Mapping[str, Any]], kind: str = "Test", ip_version: int = 6) -> Path:
    """Write a database of CIDR networks to records; IPv4 networks too where `ip_version` is 6."""
    writer = MMDBWriter(ip_version=ip_version, database_type=kind, ipv4_compatible=ip_version == 6)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), dict(record))
    writer.to_db_file(str(path))
    return path


def provider(number: int, name: str = "") -> dict[str, Any]:
    """Return a record as GeoLite2-ASN has it."""
    return {"autonomous_system_number": number, "autonomous_system_organization": name or f"Provider {number}"}


def city(name: str, country: str, continent: str) -> dict[str, Any]:
    """Return a record as GeoLite2-City has it."""
    return {
        "city": {"names": {"en": name}},
        "continent": {"code": continent},
        "country": {"iso_code": country},
        "location": {"latitude": 52.5, "longitude": 13.25},
    }
