"""Whom a proxy's word is believed of: the rules of uvicorn's middleware, which the ASGI shell has."""

from __future__ import annotations

import asyncio

import pytest
from peerpool.core.errors import ConfigError
from peerpool.forwarded import TrustedProxies
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def as_uvicorn_says(allowed: str, peer: str, forwarded_for: str) -> str:
    seen: list[str] = []

    async def app(scope: object, *_: object) -> None:
        seen.append(scope["client"][0])  # type: ignore[index]

    middleware = ProxyHeadersMiddleware(app, allowed)
    headers = [(b"x-forwarded-for", forwarded_for.encode())] if forwarded_for else []
    scope = {"type": "websocket", "client": (peer, 1), "headers": headers, "scheme": "ws"}
    asyncio.run(middleware(scope, None, None))  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize("allowed", ["127.0.0.1,::1", "*", "10.0.0.0/8,127.0.0.1", "2001:db8::/32", ""])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "2001:db8::1", "192.0.2.1"])
@pytest.mark.parametrize(
    "forwarded_for",
    ["", "198.51.100.7", "198.51.100.7, 10.0.0.1", "198.51.100.7, 192.0.2.9, 10.0.0.1", "10.0.0.2,10.0.0.1", "junk"],
)
def test_the_client_is_whom_uvicorn_takes_for_it(allowed: str, peer: str, forwarded_for: str) -> None:
    ours = TrustedProxies(allowed).client(peer, [forwarded_for] if forwarded_for else [])
    assert ours == as_uvicorn_says(allowed, peer, forwarded_for)


def test_several_headers_are_one_list() -> None:
    assert TrustedProxies("10.0.0.0/8").client("10.0.0.1", ["198.51.100.1, 198.51.100.2", "10.0.0.2"]) == "198.51.100.2"


def test_what_is_no_network_is_an_error_of_the_settings() -> None:
    with pytest.raises(ConfigError, match="forwarded_allow_ips"):
        TrustedProxies("proxy.example")
