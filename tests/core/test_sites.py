"""Origins, names and groups of a customer's site."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.identity import content_id
from peerpool.core.sites import Site, draw, names, parse_origin

SECRET = "s" * 32
NAME = "cdn.example/live/master.m3u8"


def site(**fields: Any) -> Site:
    return msgspec.convert({"id": "news", "secrets": [SECRET], "origins": ["https://news.example"]} | fields, Site)


@pytest.mark.parametrize(
    ("pattern", "origin", "is_admitted"),
    [
        ("https://news.example", "https://news.example", True),
        ("https://news.example", "https://NEWS.example", True),
        ("https://News.Example:443", "https://news.example", True),
        ("http://localhost:8080", "http://localhost:8080", True),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("https://news.example", "http://news.example", False),
        ("https://news.example", "https://news.example:8443", False),
        ("https://news.example", "https://www.news.example", False),
        ("https://news.example", "https://news.example.evil.example", False),
        ("https://news.example", "https://news.example/", False),
        ("https://news.example", "https://news.example\n", False),
        ("https://news.example", "https://user@news.example", False),
        ("https://news.example", "", False),
        ("https://news.example", "null", False),
        ("https://*.news.example", "https://www.news.example", True),
        ("https://*.news.example", "https://a.b.news.example", True),
        ("https://*.news.example", "https://news.example", False),
        ("https://*.news.example", "https://evilnews.example", False),
        ("https://*.news.example", "https://*.news.example", False),
        ("https://*.news.example", "https://.news.example", False),
        ("https://*.news.example", "https://a..news.example", False),
    ],
)
def test_a_page_is_admitted_by_its_whole_origin(pattern: str, origin: str, *, is_admitted: bool) -> None:
    assert site(origins=[pattern]).admits_origin(origin) is is_admitted


@given(st.text(max_size=400))
def test_whatever_an_origin_is_it_is_parsed_or_none(text: str) -> None:
    parse_origin(text)
    assert not site(origins=["https://*.news.example"]).admits_origin(text)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"secrets": ["short and sweet"]}, "number 1 has 15 characters"),
        ({"secrets": []}, "needs one at least"),
        ({"origins": []}, "length >= 1"),
        ({"origins": ["news.example"]}, "write scheme, host and port"),
        ({"origins": ["https://*"]}, "write scheme, host and port"),
        ({"origins": ["https://bücher.example"]}, "xn--"),
        ({"origins": ["https://a.example:70000"]}, "write scheme, host and port"),
        ({"tokens": "maybe"}, "required, optional"),
        ({"integrity": "none"}, "auto, signed, spot, off"),
        ({"ramp_percent": 101}, "<= 100"),
        ({"id": "a b"}, "matching regex"),
        ({"secret": ["x" * 40]}, "unknown field"),
    ],
)
def test_a_site_that_cannot_be_is_refused_with_what_to_do(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        site(**fields)
    assert says in str(caught.value)
    assert "short and sweet" not in str(caught.value)


def test_a_secret_is_never_shown() -> None:
    assert SECRET not in repr(site())
    assert SECRET not in repr([site()])


@pytest.mark.parametrize(
    ("pattern", "name", "is_named"),
    [
        ("*", NAME, True),
        ("*", None, True),
        ("cdn.example/live/*", NAME, True),
        ("cdn.example/live/*", None, False),
        ("cdn.example/vod/*", NAME, False),
        ("*/master.m3u8", NAME, True),
        ("cdn.example/*/*.m3u8", NAME, True),
        ("cdn.example/live/master.m3u8*master.m3u8", NAME, False),
        (NAME, NAME, True),
        (NAME, None, True),
        (NAME + "x", NAME, False),
        (content_id(NAME), None, True),
        (content_id("other"), NAME, False),
    ],
)
def test_a_pattern_names_contents(pattern: str, name: str | None, *, is_named: bool) -> None:
    assert names(pattern, name, content_id(NAME)) is is_named


@given(st.text("ab*", min_size=1, max_size=12), st.text("ab", max_size=12))
def test_patterns_are_matched_as_a_backtracking_matcher_does(pattern: str, name: str) -> None:
    def slow(rest: str, text: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "*":
            return any(slow(rest[1:], text[at:]) for at in range(len(text) + 1))
        return text[:1] == rest[0] and slow(rest[1:], text[1:])

    assert names(pattern, name, content_id(name)) is slow(pattern, name)


def test_groups_have_their_share_and_stay_as_they_are() -> None:
    draws = [draw("news", f"{n:016x}") for n in range(4000)]
    assert draws == [draw("news", f"{n:016x}") for n in range(4000)]
    assert draws != [draw("other", f"{n:016x}") for n in range(4000)]
    rules = site(ramp_percent=25, holdout_percent=10)
    assert 300 < sum(one.is_held_out(rules) for one in draws) < 500
    assert 2850 < sum(one.is_above_ramp(rules) for one in draws) < 3150
    more = site(ramp_percent=50)
    assert all(one.is_above_ramp(rules) for one in draws if one.is_above_ramp(more)), "who shares goes on"
    nobody, everybody = site(ramp_percent=0, holdout_percent=0), site(ramp_percent=100, holdout_percent=100)
    assert all(one.is_above_ramp(nobody) and not one.is_held_out(nobody) for one in draws)
    assert all(one.is_held_out(everybody) and not one.is_above_ramp(everybody) for one in draws)
