"""Who may see what of the operator's: bearers of the admin token everything, those of a site's its own.

A browser presents a token once and gets a session cookie for it: an expiry, the site and an HMAC by the token, so that
nothing is kept here, a changed token ends its sessions, and the cookie cannot be turned back into the token.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from peerpool.core.admission import Gate
from peerpool.endpoints import UNAUTHORIZED, RequestRefused

SESSION_COOKIE: Final = "peerpool_session"
# A working day.
SESSION_S: Final = 12 * 3600
FORBIDDEN: Final = 403
_PARTS: Final = 3


class Grant(NamedTuple):
    """What somebody may see: everything, or one site."""

    site: str | None = None


class Access:
    """Tokens and sessions."""

    def __init__(self, admin_token: str, gate: Gate | None = None, clock: Callable[[], float] = time.time) -> None:
        """`gate` has the sites; `clock` is that of the epoch."""
        self._admin_token = admin_token
        self._gate = gate
        self._clock = clock

    @property
    def is_off(self) -> bool:
        """Whether there is no token that would be taken."""
        return not self._admin_token and not self._site_tokens()

    def grant(self, request: Request) -> Grant:
        """Return what the bearer of a token or session may see. Raises RequestRefused."""
        if self.is_off:
            raise RequestRefused(FORBIDDEN, "the API is off: set `admin_token`")
        if "authorization" in request.headers:
            return self._bearer(request)
        return _granted(self._session(request.cookies.get(SESSION_COOKIE, "")))

    def grant_everything(self, request: Request) -> Grant:
        """Return the grant of who may see everything. Raises RequestRefused for all others."""
        grant = self.grant(request)
        if grant.site is not None:
            raise RequestRefused(FORBIDDEN, "this is for the bearer of the admin token only")
        return grant

    def begin(self, request: Request, response: Response) -> None:
        """Begin a session for the bearer of a token. Raises RequestRefused."""
        if self.is_off:
            raise RequestRefused(FORBIDDEN, "the dashboard is off: set `admin_token`")
        grant = self._bearer(request)
        text = f"{int(self._clock()) + SESSION_S}.{grant.site or ''}"
        response.set_cookie(
            SESSION_COOKIE,
            f"{text}.{self._signature(text, grant)}",
            max_age=SESSION_S,
            secure=request.scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )

    def _bearer(self, request: Request) -> Grant:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = None
        if scheme.lower() == "bearer":
            # All are looked at, so that the time says nothing of which it was.
            for site, own in [(None, self._admin_token), *self._site_tokens().items()]:
                if own and hmac.compare_digest(token.encode(), own.encode()):
                    found = found or Grant(site)
        return _granted(found)

    def _session(self, cookie: str) -> Grant | None:
        parts = cookie.split(".")
        if len(parts) != _PARTS or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 16):  # noqa: PLR2004
            return None
        grant = Grant(parts[1] or None)
        signature = self._signature(f"{parts[0]}.{parts[1]}", grant)
        is_good = bool(signature) and hmac.compare_digest(signature.encode(), parts[2].encode())
        return grant if is_good and self._clock() < int(parts[0]) else None

    def _signature(self, text: str, grant: Grant) -> str:
        """Return what proves a session; empty where its token is no more."""
        token = self._admin_token if grant.site is None else self._site_tokens().get(grant.site, "")
        return hmac.new(token.encode(), f"session {text}".encode(), sha256).hexdigest() if token else ""

    def _site_tokens(self) -> dict[str, str]:
        accounts = self._gate.accounts if self._gate is not None else {}
        return {
            name: account.rules.dashboard_token
            for name, account in accounts.items()
            if account.rules is not None and account.rules.dashboard_token
        }


def _granted(grant: Grant | None) -> Grant:
    if grant is None:
        raise RequestRefused(UNAUTHORIZED, "a bearer of the admin token may ask; this request is none")
    return grant
