"""The admission rule of a tracker with named sites: who may join, in which group, until the rules change.

Checks come in an order in which the cheap ones are first, and nothing is counted or spent before all have passed.
Tokens are verified by a function that is handed in (`auth.py`): it needs a clock and cryptography.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from peerpool.core.addresses import parse_address
from peerpool.core.errors import Crowded, Full, Off, TheirError, Unauthorized
from peerpool.core.limits import MS_PER_S, Limits
from peerpool.core.seats import Account, Group, Seat, join_rate
from peerpool.core.sites import Draw, Site, draw, names
from peerpool.core.state import Admission
from peerpool.core.swarm import Family

# An operator who has switched sharing off is not to be asked again by everybody every few seconds.
OFF_RETRY_MS: Final = 600_000
# Spent tokens whose time is over are looked for so often (seconds), and so often at most where there is no room.
SWEEP_INTERVAL_S: Final = 60.0
SWEEP_INTERVAL_MIN_S: Final = 1.0


class Claims(NamedTuple):
    """What a good token says. `uses` counts joins with this `jti`, None is no bound; `ip` empty is any address."""

    content: str
    expires_in_s: float
    jti: str = ""
    uses: int | None = None
    ip: str = ""


# Token, site id, secrets -> claims. Raises Unauthorized for every token that is not good.
Verifier = Callable[[str, str, Sequence[str]], Claims]


class SpentTokens:
    """How often tokens with bounded uses were used, until each ends. One that is spent is never forgotten before."""

    def __init__(self, most: int) -> None:
        self._most = most
        # By site and jti: uses, and when it ends (seconds).
        self._uses: dict[tuple[str, str], tuple[int, float]] = {}
        self._swept_at = -math.inf

    def __len__(self) -> int:
        return len(self._uses)

    def spend(self, site_id: str, claims: Claims, now: float) -> None:
        """Use a token once. Raises Unauthorized when it is used up, Full when there is no room to remember it."""
        if claims.uses is None:
            return
        key = site_id, claims.jti
        used, ends_at = self._uses.get(key, (0, 0.0))
        if used >= claims.uses and ends_at > now:
            raise Unauthorized("the token was used as often as it may be")
        if key not in self._uses and len(self._uses) >= self._most:
            if now >= self._swept_at + SWEEP_INTERVAL_MIN_S:
                self.sweep(now)
            if len(self._uses) >= self._most:
                raise Full("too many tokens of bounded use at once")
        self._uses[key] = (used + 1 if ends_at > now else 1, max(ends_at, now + claims.expires_in_s))

    def sweep(self, now: float) -> None:
        """Forget those whose time is over."""
        self._swept_at = now
        for key in [key for key, (_, ends_at) in self._uses.items() if ends_at <= now]:
            del self._uses[key]

    def next_sweep(self) -> float:
        """Return when to look next."""
        return self._swept_at + SWEEP_INTERVAL_S if self._uses else math.inf


class Gate:
    """Sites by id, with what is counted of each."""

    def __init__(
        self,
        verify: Verifier,
        sites: Sequence[Site],
        *,
        admits_torrents: bool = False,
        limits: Limits | None = None,
    ) -> None:
        """`admits_torrents`: clients of /announce, who can name no site, may share among themselves."""
        self.admits_torrents = admits_torrents
        self.spent = SpentTokens((limits or Limits()).max_spent_tokens)
        self.accounts: dict[str, Account] = {}
        self._verify = verify
        self.replace(sites)

    def replace(self, sites: Sequence[Site]) -> None:
        """Take other rules. Counts stay; a site that is gone stays until its last member is."""
        rules = {site.id: site for site in sites}
        for account in self.accounts.values():
            account.rules = rules.pop(account.id, None)
        for site in rules.values():
            self.accounts[site.id] = Account(site)
        self._forget_empty()

    def admit(self, asked: Admission) -> Seat | None:
        """Return the seat of who is admitted, or None where none is needed.

        Raises Unauthorized, Off, Full or Crowded.
        """
        if asked.key.family is Family.WEBTORRENT:
            if not self.admits_torrents:
                raise Unauthorized("this tracker serves its own sites only")
            return None
        account = self.accounts.get(asked.site or "")
        if account is None or account.rules is None:
            raise Unauthorized("this tracker serves named sites only, and knows none of this name")
        try:
            return self._admit(account, account.rules, asked)
        except TheirError as error:
            account.refusals[error.code] = account.refusals.get(error.code, 0) + 1
            raise

    def _admit(self, account: Account, rules: Site, asked: Admission) -> Seat:
        if not rules.admits_origin(asked.origin):
            raise Unauthorized("pages of this origin are not the site's")
        if not rules.enabled:
            raise switched_off()
        if not rules.admits_content(asked.name, asked.key.info_hash):
            raise Unauthorized("this content is not the site's (is `name` missing?)")
        drawn = draw(rules.id, asked.session)
        group = _group(rules, drawn)
        claims = self._claims(rules, asked)
        if account.members >= rules.max_members:
            raise Full("the site has no room for another member")
        rate = join_rate(rules)
        missing = 1 - account.bucket.left(rate, asked.now)
        if missing > 0:
            raise Crowded(math.ceil(missing / rate.refill_per_s * MS_PER_S))
        if claims is not None:
            self.spent.spend(rules.id, claims, asked.now)
        account.bucket.charge(1, rate, asked.now)
        return Seat(account, group, drawn)

    def _claims(self, rules: Site, asked: Admission) -> Claims | None:
        """Return what the token says, which must be good for this join. Raises Unauthorized."""
        if asked.token is None:
            if rules.tokens == "required":
                raise Unauthorized("a token is required")
            return None
        claims = self._verify(asked.token, rules.id, rules.secrets)
        if not names(claims.content, asked.name, asked.key.info_hash):
            raise Unauthorized("the token is for another content")
        if claims.ip:
            address = parse_address(asked.address)
            if address is None or address != parse_address(claims.ip):
                raise Unauthorized("the token is for another address")
        return claims

    def expire(self, now: float) -> None:
        """Forget what is over at `now`."""
        if now >= self.spent.next_sweep():
            self.spent.sweep(now)
        self._forget_empty()

    def _forget_empty(self) -> None:
        for gone in [one for one in self.accounts.values() if one.rules is None and one.members == 0]:
            del self.accounts[gone.id]


def switched_off() -> Off:
    """Return the error of who may not share for now."""
    return Off("sharing is switched off for this viewer", OFF_RETRY_MS)


def _group(rules: Site, drawn: Draw) -> Group:
    """Return the group of a page view. Raises Off for one above the ramp."""
    if drawn.is_held_out(rules):
        return Group.HOLDOUT
    if drawn.is_above_ramp(rules):
        raise switched_off()
    return Group.SHARING
