"""Databases and maps from real files, and what happens when those change or break."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from peerpool import cli
from peerpool.core.errors import ConfigError
from peerpool.core.places import NOWHERE
from peerpool.geoip import Locator

from tests.databases import city, provider, write_mmdb


def databases(tmp_path: Path) -> list[str]:
    providers = {"93.184.0.0/16": provider(1), "93.185.0.0/16": provider(2), "2001:db8::/32": provider(3)}
    cities = {"93.184.0.0/17": city("Berlin", "DE", "EU"), "2001:db8::/33": city("Paris", "FR", "EU")}
    return [
        str(write_mmdb(tmp_path / "asn.mmdb", providers, "GeoLite2-ASN")),
        str(write_mmdb(tmp_path / "city.mmdb", cities, "GeoLite2-City")),
    ]


def touch_later(path: Path) -> None:
    """Make the file newer than any clock's resolution."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def test_databases_say_together_where_an_address_is(tmp_path: Path) -> None:
    locator = Locator(databases(tmp_path))
    assert locator.locate("93.184.1.2").path() == ("EU", "DE", "AS1", "Berlin", "93.184.1.2/32")
    assert locator.locate("93.184.200.2").path() == ("", "", "AS1", "", "93.184.200.2/32")
    assert locator.locate("2001:db8::1").path() == ("EU", "FR", "AS3", "Paris", "2001:db8::/64")
    assert locator.locate("::ffff:93.184.1.2").isp == "AS1"
    assert locator.locate("8.8.8.8").isp == "8.8.0.0/16"
    assert locator.locate("nonsense") == NOWHERE


def test_a_database_of_ipv4_knows_nothing_of_ipv6(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "four.mmdb", {"93.184.0.0/16": provider(1)}, ip_version=4)
    locator = Locator([str(path)])
    assert locator.locate("93.184.1.2").isp == "AS1"
    assert locator.locate("2001:db8::1").isp == "2001:db8::/32"


def test_the_operator_s_map_goes_first(tmp_path: Path) -> None:
    sites = tmp_path / "sites.csv"
    sites.write_text("\ufeffnetwork,site,group\n93.184.1.0/24,Studio,Us\n", encoding="utf-8")
    locator = Locator(databases(tmp_path), str(sites))
    assert locator.locate("93.184.1.2").path() == ("EU", "DE", "group:Us", "Berlin", "Studio")
    assert locator.locate("93.184.2.2").isp == "AS1"


def test_a_database_that_changes_in_place_is_read_again(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "asn.mmdb", {"93.184.0.0/16": provider(1)})
    locator = Locator([str(path)])
    assert locator.refresh() == 0
    other = write_mmdb(tmp_path / "other.mmdb", {"93.184.0.0/16": provider(7)}).read_bytes()
    with path.open("r+b") as file:  # not moved into place, as would be right: written over, while it is mapped
        file.truncate(0)
        assert locator.locate("93.184.1.2").isp == "AS1"
        file.write(other)
    touch_later(path)
    assert locator.refresh() == 1
    assert locator.locate("93.184.1.2").isp == "AS7"
    assert locator.refresh() == 0


def test_a_file_that_breaks_leaves_what_was_read_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_mmdb(tmp_path / "asn.mmdb", {"93.184.0.0/16": provider(1)})
    sites = tmp_path / "sites.csv"
    sites.write_text("network,site\n10.0.0.0/8,x\n")
    locator = Locator([str(path)], str(sites))
    path.write_bytes(b"no database")
    sites.unlink()
    with caplog.at_level(logging.WARNING):
        assert locator.refresh() == 0
    assert len(caplog.records) == 2
    assert "is not an MMDB file" in caplog.text
    assert locator.locate("93.184.1.2").isp == "AS1"
    assert locator.locate("10.1.1.1").site == "x"


@pytest.mark.parametrize("content", [None, b"", b"network,site"])
def test_what_cannot_be_read_at_the_start_is_an_error_of_the_settings(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "broken.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        Locator([str(path)])
    assert not list(Path(tmp_path).glob("peerpool-*"))


def test_check_says_what_a_database_holds_and_where_an_address_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asn, places = databases(tmp_path)
    assert cli.main(["geoip", "check", asn, "93.184.1.2"]) == 0
    said = capsys.readouterr().out
    assert "GeoLite2-ASN" in said
    assert "provider (ASN)   100%" in said
    assert "isp        AS1" in said
    assert cli.main(["geoip", "check", places]) == 0
    assert "country          100%" in capsys.readouterr().out


def test_check_says_what_a_map_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sites = tmp_path / "sites.csv"
    sites.write_text("network,site,group\n10.0.0.0/8,Office,Us\n")
    assert cli.main(["geoip", "check", str(sites), "10.1.1.1"]) == 0
    said = capsys.readouterr().out
    assert "a map of 1 networks" in said
    assert "site       Office" in said


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    useless = write_mmdb(tmp_path / "useless.mmdb", {"93.184.0.0/16": {"colour": "blue"}})
    assert cli.main(["geoip", "check", str(useless)]) == 0
    assert "Nothing in it is of use" in capsys.readouterr().out
    assert cli.main(["geoip", "check", str(useless), "not.an.address"]) == 2
    assert "not.an.address is not an IP address" in capsys.readouterr().err
    assert cli.main(["geoip", "check", str(tmp_path / "absent.mmdb")]) == 2
    assert "cannot read" in capsys.readouterr().err
