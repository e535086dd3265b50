"""Who of a customer's site is here, in which group, and what they report: counts for operators to compare groups by.

A site's viewers are drawn into two groups: one shares, one never does and only reports (docs/adr/0013).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from peerpool.core.limits import Rate, TokenBucket
from peerpool.core.messages import Report
from peerpool.core.sites import Draw, Site

MINUTE_S: Final = 60.0
SOURCES: Final = ("peer", "far", "relayed", "cdn", "sent")


def add_bytes(totals: dict[str, int], report: Report) -> None:
    """Add what a member claims to totals by SOURCES.

    What came through TURN was paid for like what the CDN sends: it is counted apart, and not as of peers.
    """
    relayed_bytes = relayed_part(report)
    direct_bytes = report.peer_bytes - relayed_bytes
    totals["peer"] += direct_bytes
    totals["far"] += min(report.far_bytes, direct_bytes)
    totals["relayed"] += relayed_bytes
    totals["cdn"] += report.cdn_bytes
    totals["sent"] += report.sent_bytes


def relayed_part(report: Report) -> int:
    """Return the bytes that came through TURN, at most those that came of peers at all."""
    return min(report.relayed_bytes, report.peer_bytes)


class Group(Enum):
    """What a viewer takes part in."""

    SHARING = "sharing"
    HOLDOUT = "holdout"


@dataclass(slots=True)
class Counts:
    """Of one group: members now, joins and what members claimed since the start. A report covers half a minute."""

    members: int = 0
    joins: int = 0
    reports: int = 0
    stalls: int = 0
    reported_bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SOURCES, 0))

    def add(self, report: Report) -> None:
        """Count what a member claims."""
        self.reports += 1
        self.stalls += report.stalls
        add_bytes(self.reported_bytes, report)


class Account:
    """One site: its rules, None when they are no longer in the file, its groups, its refusals by code."""

    __slots__ = ("bucket", "groups", "id", "refusals", "rules")

    def __init__(self, rules: Site) -> None:
        self.id = rules.id
        self.rules: Site | None = rules
        self.groups = {group: Counts() for group in Group}
        self.refusals: dict[str, int] = {}
        self.bucket = TokenBucket(join_rate(rules), 0.0)  # full, whatever time it is

    @property
    def members(self) -> int:
        """Members of both groups, now."""
        return sum(counts.members for counts in self.groups.values())


def join_rate(rules: Site) -> Rate:
    """Return how often viewers of a site may join: a minute's joins at once, and what comes back of them a second."""
    return Rate(rules.joins_per_minute, rules.joins_per_minute / MINUTE_S)


class Seat:
    """What an admitted socket takes at its site. Counted from `take` to `give_back`."""

    __slots__ = ("account", "draw", "group")

    def __init__(self, account: Account, group: Group, drawn: Draw) -> None:
        self.account = account
        self.group = group
        self.draw = drawn

    @property
    def counts(self) -> Counts:
        """Those of its group."""
        return self.account.groups[self.group]

    def take(self) -> None:
        """Be a member."""
        self.counts.members += 1
        self.counts.joins += 1

    def give_back(self) -> None:
        """Be none any more."""
        self.counts.members -= 1

    @property
    def is_over(self) -> bool:
        """Whether the rules that hold now have no room for it: they are gone, switched off, or the ramp is lower."""
        rules = self.account.rules
        if rules is None or not rules.enabled:
            return True
        return self.group is Group.SHARING and self.draw.is_above_ramp(rules)
