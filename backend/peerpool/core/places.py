"""Where a member is: a path of places, each within the one before, from its address and from what databases say of it.

Databases differ in what they call things (GeoLite2, DB-IP, IPinfo, iptoasn and what is made from it); `facts_in`
recognises a record by its content. `place_of` turns facts into a `Place`. What nobody knows is an empty name, and
members of unknown place at one level are simply not grouped at that level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from peerpool.core.addresses import Address, Reach, networks_of

# Longest name that is kept of what a database says: they are short, and a broken file is not to fill the memory.
MAX_NAME_CHARS: Final = 80

CODE_CHARS: Final = 2  # of countries and continents


class Level(IntEnum):
    """How tight a place is. Every place of one level lies within one place of the level above."""

    WORLD = 0
    CONTINENT = 1
    COUNTRY = 2
    ISP = 3  # of one country: a provider's networks in two countries have little in common
    METRO = 4  # one provider's customers around one city
    SITE = 5  # one line, one office


class Facts(NamedTuple):
    """What is known of an address besides the address; empty or None where it is not."""

    isp: str = ""  # "AS3320", or an operator's own name
    isp_name: str = ""
    continent: str = ""  # two letters: AF AN AS EU NA OC SA
    country: str = ""  # ISO 3166-1 alpha-2
    region: str = ""
    city: str = ""
    site: str = ""  # an operator's own name of it
    latitude: float | None = None
    longitude: float | None = None

    def or_else(self, other: Facts) -> Facts:
        """Return these facts, and `other`'s where these know nothing."""
        unknown: dict[str, Any] = {
            name: theirs for name, mine, theirs in zip(self._fields, self, other, strict=True) if mine in ("", None)
        }
        return self._replace(**unknown)


NOTHING: Final = Facts()


class Place(NamedTuple):
    """Names at each level below the world, loosest first; an empty one is unknown. `subnet` is for diversity."""

    continent: str = ""
    country: str = ""
    isp: str = ""
    metro: str = ""
    site: str = ""
    subnet: str = ""

    def path(self) -> tuple[str, ...]:
        """Return the names from continent to site."""
        return self[:-1]


NOWHERE: Final = Place()


def place_of(address: Address | None, facts: Facts = NOTHING) -> Place:
    """Return the place of `address`. Without facts the networks around it stand in for provider and city."""
    if address is None:
        return NOWHERE
    networks = networks_of(address)
    isp = facts.isp or networks.provider
    metro = "/".join(part for part in (facts.region, facts.city) if part)
    if not metro and networks.reach is not Reach.PUBLIC and not facts.isp:
        metro = networks.subnet  # an organisation's networks are its places
    return Place(facts.continent, facts.country, isp, metro, facts.site or networks.site, networks.subnet)


def facts_in(record: object) -> Facts:
    """Return what a database's record says, whatever its schema. Unknown shapes say nothing; nothing is raised."""
    if not isinstance(record, Mapping):
        return NOTHING
    location = _mapping(record.get("location")) or record
    return Facts(
        isp=_asn(record),
        isp_name=_first_text(record, _ISP_NAMES) or _first_text(_mapping(record.get("asn")), ("name",)),
        continent=_code(record, "continent", "code"),
        country=_code(record, "country", "iso_code") or _code(record, "registered_country", "iso_code"),
        region=_region(record),
        city=_name(record.get("city")) or _first_text(record, ("city_name",)),
        latitude=_degrees(location, ("latitude", "lat"), 90),
        longitude=_degrees(location, ("longitude", "lng", "lon"), 180),
    )


_ISP_NAMES: Final = ("autonomous_system_organization", "as_name", "as_organization", "as_description", "description")
_ASN_KEYS: Final = ("autonomous_system_number", "asn", "as_number")


def _asn(record: Mapping[str, Any]) -> str:
    """GeoLite2 and DB-IP have a number, IPinfo "AS3320" as text or within an object, iptoasn either."""
    for key in _ASN_KEYS:
        value = record.get(key)
        if isinstance(value, Mapping):
            value = value.get("asn")
        digits = str(value).upper().removeprefix("AS") if isinstance(value, int | str) else ""
        if digits.isascii() and digits.isdigit() and 0 < int(digits[:11]) < 2**32:
            return f"AS{int(digits)}"
    return ""


def _code(record: Mapping[str, Any], key: str, inner: str) -> str:
    """Two letters, from an object (MaxMind), from `<key>_code`, or from `<key>` itself where it is not a long name."""
    value = _mapping(record.get(key)).get(inner) or record.get(f"{key}_code") or record.get(key)
    text = value.upper() if isinstance(value, str) else ""
    return text if len(text) == CODE_CHARS and text.isascii() and text.isalpha() else ""


def _region(record: Mapping[str, Any]) -> str:
    subdivisions = record.get("subdivisions")
    if isinstance(subdivisions, Sequence) and not isinstance(subdivisions, str) and subdivisions:
        first = _mapping(subdivisions[0])
        return _bounded(first.get("iso_code")) or _name(first)
    return _first_text(record, ("region_code", "region", "state1"))


def _name(value: object) -> str:
    """Return a name: text, or an object with names in several languages."""
    if isinstance(value, Mapping):
        names = _mapping(value.get("names"))
        return _bounded(names.get("en") or next(iter(names.values()), ""))
    return _bounded(value)


def _first_text(record: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((text for key in keys if (text := _bounded(record.get(key)))), "")


def _bounded(value: object) -> str:
    return value[:MAX_NAME_CHARS] if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _degrees(record: Mapping[str, Any], keys: Sequence[str], limit: int) -> float | None:
    for key in keys:
        try:
            degrees = float(record.get(key, "nan"))
        except (TypeError, ValueError):
            continue
        if -limit <= degrees <= limit:
            return degrees
    return None
