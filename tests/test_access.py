"""Tokens and sessions: who may see what, and what ends a session."""

from __future__ import annotations

import pytest
from peerpool.access import SESSION_COOKIE, SESSION_S, Access, Grant
from peerpool.core.admission import Gate
from peerpool.core.sites import Site
from peerpool.endpoints import RequestRefused
from starlette.requests import Request
from starlette.responses import Response

ADMIN = "the token of the operator"
OF_SITE = "the token of a site"


def gate(token: str = OF_SITE) -> Gate:
    site = Site(id="news", origins=["https://news.example"], tokens="optional", dashboard_token=token)
    other = Site(id="other", origins=["https://other.example"], tokens="optional")
    return Gate(lambda *_: pytest.fail("nobody joins"), [site, other])


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def request(authorization: str = "", cookie: str = "", scheme: str = "http") -> Request:
    headers = [(b"authorization", authorization.encode())] if authorization else []
    headers += [(b"cookie", f"{SESSION_COOKIE}={cookie}".encode())] if cookie else []
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers, "scheme": scheme})


def session(access: Access, token: str, scheme: str = "http") -> tuple[str, str]:
    """Return the cookie's value and all of its header."""
    response = Response()
    access.begin(request(f"Bearer {token}", scheme=scheme), response)
    header = response.headers["set-cookie"]
    return header.partition("=")[2].partition(";")[0], header


def test_the_operator_sees_everything_and_a_site_its_own() -> None:
    access = Access(ADMIN, gate())
    assert access.grant(request(f"Bearer {ADMIN}")) == Grant(None)
    assert access.grant(request(f"bearer {OF_SITE}")) == Grant("news")
    assert access.grant_everything(request(f"Bearer {ADMIN}")) == Grant(None)
    with pytest.raises(RequestRefused, match="admin token only") as refused:
        access.grant_everything(request(f"Bearer {OF_SITE}"))
    assert refused.value.status == 403


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", f"Basic {ADMIN}", ADMIN, "Bearer \xff"])
def test_what_is_no_token_is_refused(authorization: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        Access(ADMIN, gate()).grant(request(authorization))
    assert (refused.value.status, refused.value.headers) == (401, {"WWW-Authenticate": "Bearer"})


@pytest.mark.parametrize("token", [ADMIN, OF_SITE])
def test_a_session_is_what_its_token_is_until_it_is_over(token: str) -> None:
    clock = Clock()
    access = Access(ADMIN, gate(), clock)
    cookie, header = session(access, token)
    assert access.grant(request(cookie=cookie)) == access.grant(request(f"Bearer {token}"))
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(header.split("; "))
    assert "Secure" not in header
    assert token not in header
    clock.now += SESSION_S
    with pytest.raises(RequestRefused):
        access.grant(request(cookie=cookie))


def test_a_session_over_https_is_sent_over_https_only() -> None:
    assert "Secure" in session(Access(ADMIN), ADMIN, scheme="https")[1]


def test_a_changed_token_ends_its_sessions() -> None:
    operator, _ = session(Access(ADMIN, gate()), ADMIN)
    site, _ = session(Access(ADMIN, gate()), OF_SITE)
    changed = Access("another token of the operator", gate("another token of a site"))
    gone = Access(ADMIN, gate(""))
    for access, cookie in ((changed, operator), (changed, site), (gone, site)):
        with pytest.raises(RequestRefused):
            access.grant(request(cookie=cookie))


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: cookie + "0",
        lambda cookie: cookie.replace("news", "other"),
        lambda cookie: cookie.replace("news", ""),
        lambda cookie: "9" + cookie[1:],
        lambda cookie: cookie.rpartition(".")[0],
        lambda cookie: f"x{cookie}",
        lambda _: "..",
        lambda _: "9" * 4_000 + "..",
    ],
)
def test_a_session_that_was_changed_is_none(change: object) -> None:
    access = Access(ADMIN, gate())
    cookie, _ = session(access, OF_SITE)
    assert callable(change)
    with pytest.raises(RequestRefused):
        access.grant(request(cookie=change(cookie)))


def test_without_any_token_everything_is_off() -> None:
    for access in (Access(""), Access("", gate(""))):
        with pytest.raises(RequestRefused) as refused:
            access.grant(request("Bearer "))
        assert refused.value.status == 403
        with pytest.raises(RequestRefused):
            access.begin(request("Bearer "), Response())


def test_a_site_may_have_a_token_where_the_operator_has_none() -> None:
    access = Access("", gate())
    assert access.grant(request(f"Bearer {OF_SITE}")) == Grant("news")
    with pytest.raises(RequestRefused):
        access.grant(request("Bearer "))
