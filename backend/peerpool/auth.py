"""Tokens of sites: JWT, HS256 and nothing else, made by a customer's backend and verified here with its secrets."""

from __future__ import annotations

import secrets as system_secrets
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta, Struct

from peerpool.core.addresses import parse_address
from peerpool.core.admission import Claims
from peerpool.core.errors import ConfigError, Unauthorized
from peerpool.core.messages import ContentName
from peerpool.core.sites import Site

ALGORITHM: Final = "HS256"
# A day's viewing at most: what leaks ends by itself.
LIFE_MAX_S: Final = 12 * 3600
# Clocks of two servers differ by so much (seconds).
LEEWAY_S: Final = 10
USES_MAX: Final = 1_000_000


class _Payload(Struct, frozen=True):
    """The claims that are read; others may be there."""

    site: str
    content: ContentName
    exp: float
    jti: Annotated[str, Meta(min_length=1, max_length=128)] = ""
    uses: Annotated[int, Meta(ge=1, le=USES_MAX)] | None = None
    ip: Annotated[str, Meta(max_length=64)] = ""


def verify(token: str, site_id: str, secrets: Sequence[str]) -> Claims:
    """Return what a token of this site says. Raises Unauthorized for one that is not good, whatever it is."""
    error: jwt.PyJWTError | None = None
    for secret in secrets:
        try:
            payload = jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                leeway=LEEWAY_S,
                options={"require": ["exp"], "verify_exp": True, "verify_aud": False},
            )
            return _claims(payload, site_id)
        except jwt.InvalidSignatureError as wrong:
            error = wrong
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthorized("the token is not a JWT of this tracker (HS256, with `exp`)") from None
    raise Unauthorized("the token is not signed with a secret of this site") from error


def _claims(payload: dict[str, Any], site_id: str) -> Claims:
    try:
        claims = msgspec.convert(payload, _Payload)
    except msgspec.ValidationError as error:
        raise Unauthorized(f"a claim of the token is wrong: {error}") from None
    if claims.site != site_id:
        raise Unauthorized("the token is for another site")
    expires_in_s = claims.exp - time.time()
    if not expires_in_s <= LIFE_MAX_S + LEEWAY_S:
        raise Unauthorized(f"the token lives for more than {LIFE_MAX_S // 3600} hours")
    if claims.uses is not None and not claims.jti:
        raise Unauthorized("a token with `uses` needs a `jti`")
    if claims.ip and parse_address(claims.ip) is None:
        raise Unauthorized("`ip` of the token is no address")
    # What is still taken is counted until it is taken no more.
    return Claims(claims.content, expires_in_s + LEEWAY_S, claims.jti, claims.uses, claims.ip)


def make_token(site: Site, content: str, ttl_s: int, uses: int | None = None, ip: str = "") -> str:
    """Return a token, signed with the first secret. Raises ConfigError for one that would not be taken."""
    if not site.secrets:
        raise ConfigError(f"site {site.id} has no `secrets` to sign with")
    if not 1 <= ttl_s <= LIFE_MAX_S:
        raise ConfigError(f"a token lives for 1 to {LIFE_MAX_S} seconds")
    if uses is not None and not 1 <= uses <= USES_MAX:
        raise ConfigError(f"a token is used 1 to {USES_MAX} times")
    if ip and parse_address(ip) is None:
        raise ConfigError("--ip is no address")
    claims: dict[str, Any] = {"site": site.id, "content": content, "exp": int(time.time()) + ttl_s}
    if uses is not None:
        claims |= {"jti": system_secrets.token_hex(8), "uses": uses}
    if ip:
        claims["ip"] = ip
    return jwt.encode(claims, site.secrets[0], ALGORITHM)
