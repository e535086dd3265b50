"""Tokens: what is taken, what is not, and that nothing but a refusal comes of any text."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from peerpool.auth import LIFE_MAX_S, make_token, verify
from peerpool.core.constants import MAX_TOKEN_CHARS
from peerpool.core.errors import ConfigError, Unauthorized

from tests.core.test_sites import NAME, SECRET, site
from tests.servers import ROOT

NEW = "n" * 32
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    made = {"site": "news", "content": NAME, "exp": int(time.time()) + 60} | claims
    payload = {name: value for name, value in made.items() if value is not None}
    return jwt.encode(payload, secret if algorithm != "none" else "", algorithm=algorithm)


def test_a_good_token_says_what_it_is_for() -> None:
    claims = verify(token(jti="j", uses=3, ip="192.0.2.1"), "news", [SECRET])
    assert (claims.content, claims.jti, claims.uses, claims.ip) == (NAME, "j", 3, "192.0.2.1")
    assert 60 < claims.expires_in_s < 75


def test_each_secret_of_a_rotation_verifies_and_a_removed_one_does_not() -> None:
    for secret in (SECRET, NEW):
        assert verify(token(secret), "news", [SECRET, NEW]).content == NAME
    for secrets in ([NEW], []):
        with pytest.raises(Unauthorized):
            verify(token(SECRET), "news", secrets)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": int(time.time()) - 60},
        {"exp": int(time.time()) + LIFE_MAX_S + 600},
        {"exp": 1e300},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": "soon"},
        {"exp": [1]},
        {"nbf": int(time.time()) + 600},
        {"site": None},
        {"site": "other"},
        {"content": None},
        {"content": ""},
        {"content": "x" * 513},
        {"uses": 2},
        {"uses": 0, "jti": "j"},
        {"uses": -1, "jti": "j"},
        {"uses": True, "jti": "j"},
        {"jti": "j" * 129, "uses": 1},
        {"jti": 5, "uses": 1},
        {"ip": "somewhere"},
    ],
    ids=", ".join,  # not their values: some are of now, and several processes collect the same tests
)
def test_claims_out_of_bounds_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized) as caught:
        verify(token(**claims), "news", [SECRET])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    with pytest.raises(Unauthorized):
        verify(token(algorithm=algorithm), "news", [SECRET])


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused(opening: str) -> None:
    nested = jwt.utils.base64url_encode((opening * (MAX_TOKEN_CHARS // len(opening))).encode()).decode()
    for text in (f"{nested}.e30.x", f"{token().partition('.')[0]}.{nested}.x"):
        with pytest.raises(Unauthorized):
            verify(text, "news", [SECRET])


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        verify(text, "news", [SECRET])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["site", "content", "exp", "nbf", "iat", "jti", "uses", "ip"]), VALUES))
def test_whatever_a_signed_token_claims_it_is_taken_within_bounds_or_refused(claims: dict[str, Any]) -> None:
    text = jwt.encode({}, SECRET, "HS256")
    try:
        text = jwt.encode(claims, SECRET, "HS256")
    except (TypeError, ValueError):
        claims = {}
    try:
        taken = verify(text, "news", [SECRET])
    except Unauthorized:
        return
    assert claims["site"] == "news"
    assert taken.expires_in_s < LIFE_MAX_S + 60


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    good = token()
    at = data.draw(st.integers(0, len(good) - 2))  # the last character has bits that say nothing
    other = data.draw(st.sampled_from("AZaz09-_.").filter(lambda one: one != good[at]))
    with pytest.raises(Unauthorized):
        verify(good[:at] + other + good[at + 1 :], "news", [SECRET])


def test_a_made_token_is_taken() -> None:
    claims = verify(make_token(site(), "cdn.example/*", 300, 5, "::1"), "news", [SECRET])
    assert (claims.content, claims.uses, claims.ip) == ("cdn.example/*", 5, "::1")
    for ttl_s, uses, ip in ((0, None, ""), (LIFE_MAX_S + 1, None, ""), (60, 0, ""), (60, None, "nowhere")):
        with pytest.raises(ConfigError):
            make_token(site(), "*", ttl_s, uses, ip)
    with pytest.raises(ConfigError):
        make_token(site(secrets=[], tokens="optional"), "*", 60)


def test_the_three_lines_of_the_guide_make_a_token_that_is_taken() -> None:
    guide = (ROOT / "docs" / "sites.md").read_text(encoding="utf-8")
    [snippet] = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    names = {"secret": SECRET}
    exec(snippet, names)
    assert verify(names["token"], "news", [SECRET]).content == "cdn.example/live/*"


@pytest.mark.skipif(not (ROOT / "node_modules" / "jsonwebtoken").is_dir(), reason="needs `npm ci`")
def test_the_three_lines_for_node_make_a_token_that_is_taken() -> None:
    guide = (ROOT / "docs" / "sites.md").read_text(encoding="utf-8")
    found = re.search(r"```js\n(const jwt.*?)```", guide, re.DOTALL)
    assert found is not None
    script = f"const secret = {json.dumps(SECRET)};\n{found[1]}\nprocess.stdout.write(token);"
    made = subprocess.run(
        ["node", "--input-type=commonjs", "-e", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert verify(made.stdout, "news", [SECRET]).content == "cdn.example/live/*"
