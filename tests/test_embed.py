"""The script tag that `peerpool embed` prints. That browsers take it is e2e/test_strict_pages.py's."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from peerpool.bundle import BundledFile
from peerpool.core.errors import ConfigError
from peerpool.embed import script_tag

MANIFEST = {"peerpool.js": BundledFile("peerpool.js", 1, 1, "0123abcd", "sha384-abc+/=")}


def attributes(html: str) -> dict[str, str | None]:
    found: list[dict[str, str | None]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag == "script"
            found.append(dict(attrs))

    Parser().feed(html)
    assert len(found) == 1
    return found[0]


def test_the_tag_has_the_hashed_name_and_its_integrity() -> None:
    assert attributes(script_tag(MANIFEST, "https://tracker.example/")) == {
        "src": "https://tracker.example/peerpool.0123abcd.js",
        "integrity": "sha384-abc+/=",
        "crossorigin": "anonymous",
    }


def test_site_and_consent_are_on_it() -> None:
    tag = attributes(script_tag(MANIFEST, "http://[::1]:8080", "news", asks_consent=True))
    assert tag["src"] == "http://[::1]:8080/peerpool.0123abcd.js"
    assert (tag["data-site"], tag["data-consent"]) == ("news", "required")


@pytest.mark.parametrize(
    "tracker",
    ["tracker.example", "ftp://a", "https://", "https://a/b", "https://u:p@a", "https://a?b", "https://a:x", "https://[",
     'https://a"b', "javascript:alert(1)"],
)  # fmt: skip
def test_what_is_no_tracker_is_refused(tracker: str) -> None:
    with pytest.raises(ConfigError, match="--tracker"):
        script_tag(MANIFEST, tracker)


@pytest.mark.parametrize("site", ["a b", 'a"', "<a>", "s" * 65, "a\n"])
def test_what_is_no_site_is_refused(site: str) -> None:
    with pytest.raises(ConfigError, match="--site"):
        script_tag(MANIFEST, "https://tracker.example", site)
