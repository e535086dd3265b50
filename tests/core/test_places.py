"""Records of the usual databases, and places made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.addresses import parse_address
from peerpool.core.places import MAX_NAME_CHARS, NOTHING, NOWHERE, Facts, facts_in, place_of

GEOLITE2_ASN = {"autonomous_system_number": 3320, "autonomous_system_organization": "Deutsche Telekom AG"}
GEOLITE2_CITY = {
    "city": {"geoname_id": 2950159, "names": {"de": "Berlin", "en": "Berlin"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "location": {"latitude": 52.5, "longitude": 13.4, "time_zone": "Europe/Berlin"},
    "registered_country": {"iso_code": "AT"},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
}
DBIP_CITY = {
    "city": {"names": {"en": "Berlin"}},
    "continent": {"code": "EU"},
    "country": {"iso_code": "DE", "is_in_european_union": True},
    "location": {"latitude": 52.5, "longitude": 13.4},
    "subdivisions": [{"names": {"en": "Land Berlin"}}],
}
IPINFO_LITE = {
    "as_domain": "telekom.de",
    "as_name": "Deutsche Telekom AG",
    "asn": "AS3320",
    "continent": "Europe",
    "continent_code": "EU",
    "country": "Germany",
    "country_code": "DE",
}
IPINFO_LOCATION = {"city": "Berlin", "country": "DE", "lat": "52.5", "lng": "13.4", "region": "Berlin"}
LOCATION_DB_CITY = {"city": "Berlin", "country_code": "DE", "latitude": 52.5, "longitude": 13.4, "state1": "Berlin"}
IPTOASN = {"asn": 3320, "as_description": "DTAG", "country_code": "DE"}
NESTED_ASN = {"asn": {"asn": "AS3320", "name": "Deutsche Telekom AG"}}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (GEOLITE2_ASN, Facts(isp="AS3320", isp_name="Deutsche Telekom AG")),
        (GEOLITE2_CITY, Facts("", "", "EU", "DE", "BE", "Berlin", "", 52.5, 13.4)),
        (DBIP_CITY, Facts("", "", "EU", "DE", "Land Berlin", "Berlin", "", 52.5, 13.4)),
        (IPINFO_LITE, Facts("AS3320", "Deutsche Telekom AG", "EU", "DE")),
        (IPINFO_LOCATION, Facts("", "", "", "DE", "Berlin", "Berlin", "", 52.5, 13.4)),
        (LOCATION_DB_CITY, Facts("", "", "", "DE", "Berlin", "Berlin", "", 52.5, 13.4)),
        (IPTOASN, Facts("AS3320", "DTAG", "", "DE")),
        (NESTED_ASN, Facts("AS3320", "Deutsche Telekom AG")),
        ({"country": {}, "registered_country": {"iso_code": "AT"}}, Facts(country="AT")),
        ({"asn": "not one", "country": 7, "location": {"latitude": 91, "longitude": "x"}}, NOTHING),
        ({"asn": 0}, NOTHING),
        ({"asn": "9" * 5000}, NOTHING),
        (None, NOTHING),
        ([1], NOTHING),
    ],
)
def test_facts_in_records(record: object, expected: Facts) -> None:
    assert facts_in(record) == expected


def test_a_long_name_is_cut() -> None:
    assert len(facts_in({"city": "x" * 10_000}).city) == MAX_NAME_CHARS


@given(
    st.dictionaries(
        st.sampled_from(
            ["asn", "country", "continent", "city", "location", "subdivisions", "as_name", "latitude", "lat"]
        ),
        st.recursive(
            st.none() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["names", "code", "iso_code", "en", "asn"]), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_no_record_is_too_strange(record: dict[str, Any]) -> None:
    facts = facts_in(record)
    assert all(isinstance(value, str | float | None) for value in facts)


def test_facts_of_several_sources_are_put_together() -> None:
    assert facts_in(GEOLITE2_ASN).or_else(facts_in(GEOLITE2_CITY)) == Facts(
        "AS3320", "Deutsche Telekom AG", "EU", "DE", "BE", "Berlin", "", 52.5, 13.4
    )
    assert Facts(latitude=0.0).or_else(Facts(latitude=1.0)).latitude == 0.0


@pytest.mark.parametrize(
    ("address", "facts", "path"),
    [
        ("93.184.1.2", NOTHING, ("", "", "93.184.0.0/16", "", "93.184.1.2/32")),
        ("93.184.1.2", facts_in(GEOLITE2_ASN), ("", "", "AS3320", "", "93.184.1.2/32")),
        ("93.184.1.2", facts_in(GEOLITE2_CITY), ("EU", "DE", "93.184.0.0/16", "BE/Berlin", "93.184.1.2/32")),
        ("192.168.1.2", NOTHING, ("", "", "private", "192.168.1.0/24", "192.168.1.0/24")),
        ("10.1.2.3", Facts(isp="group:Us", site="Berlin"), ("", "", "group:Us", "", "Berlin")),
    ],
)
def test_places(address: str, facts: Facts, path: tuple[str, ...]) -> None:
    assert place_of(parse_address(address), facts).path() == path


def test_without_an_address_there_is_no_place() -> None:
    assert place_of(None) == NOWHERE
