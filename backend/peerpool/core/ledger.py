"""What operators want to know later of each content: sums of what its viewers do and claim, taken and begun anew.

Bytes, stalls and first frames are what clients claim. The shell takes the sums every few seconds and writes them to
the history; nothing here grows with time, only with the contents that had a viewer since it was last taken.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, structs

from peerpool.core.limits import MS_PER_S
from peerpool.core.messages import Report
from peerpool.core.places import Level
from peerpool.core.seats import Group, relayed_part
from peerpool.core.swarm import Family, Swarms

# Milliseconds from a player's first request to its first frame: at once, felt, waited for, nearly given up.
FIRST_FRAME_BOUNDS_MS: Final = (200, 400, 700, 1_000, 1_500, 2_500, 5_000)
# Names of contents that are kept between two takings: the largest audience there is has fewer contents.
NAMES_MAX: Final = 20_000
# The content of what is summed over the contents that are too many to be kept one by one.
OTHERS: Final = ""


class LedgerKey(NamedTuple):
    """Whose sums: of a site (empty on an open tracker), a content (its id in hex) and a group of viewers."""

    site: str
    content: str
    group: Group


class Sums(Struct, gc=False):
    """What was counted of one key. Every field adds up, over time and over contents."""

    viewer_ms: int = 0  # time that viewers were there, all of them together
    joins: int = 0
    reports: int = 0
    stalls: int = 0
    # Bytes of peers on the same line, of the same provider, and farther off or unknown; through TURN; of the CDN.
    site_bytes: int = 0
    isp_bytes: int = 0
    far_bytes: int = 0
    relayed_bytes: int = 0
    cdn_bytes: int = 0
    # Of all those, what need not have come of the CDN: among n viewers of one content n - 1 of each n bytes.
    possible_bytes: int = 0
    sent_bytes: int = 0
    # Attempts to connect without TURN.
    connected: int = 0
    failed: int = 0
    # Players that showed a first frame: after how long all together, and how many up to each FIRST_FRAME_BOUNDS_MS.
    first_frame_ms: int = 0
    frames_200: int = 0
    frames_400: int = 0
    frames_700: int = 0
    frames_1000: int = 0
    frames_1500: int = 0
    frames_2500: int = 0
    frames_5000: int = 0
    frames_more: int = 0

    def add(self, other: Sums) -> None:
        """Add what was counted elsewhere."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def peer_bytes(self) -> int:
        """Bytes that came of peers directly: what was not paid for."""
        return self.site_bytes + self.isp_bytes + self.far_bytes

    @property
    def media_bytes(self) -> int:
        """All that viewers took."""
        return self.peer_bytes + self.relayed_bytes + self.cdn_bytes


COLUMNS: Final = tuple(field.name for field in structs.fields(Sums))
FRAME_COLUMNS: Final = tuple(name for name in COLUMNS if name.startswith("frames_"))
_COLUMN_OF_LEVEL: Final = {Level.SITE: "site_bytes", Level.METRO: "isp_bytes", Level.ISP: "isp_bytes"}


class Ledger:
    """The sums since they were last taken, and the names of contents that were given one."""

    def __init__(self) -> None:
        self._sums: dict[LedgerKey, Sums] = {}
        self._names: dict[str, str] = {}
        self._sampled_at: float | None = None

    def __len__(self) -> int:
        return len(self._sums)

    def _of(self, key: LedgerKey) -> Sums:
        found = self._sums.get(key)
        if found is None:
            found = self._sums[key] = Sums()
        return found

    def joined(self, key: LedgerKey, name: str | None) -> None:
        """Count a viewer who enters."""
        self._of(key).joins += 1
        if name and len(self._names) < NAMES_MAX:
            self._names[key.content] = name

    def reported(self, key: LedgerKey, report: Report, by_level: Mapping[Level, int]) -> None:
        """Count what a viewer claims; `by_level` are those of its direct bytes whose sender is known."""
        sums = self._of(key)
        sums.reports += 1
        sums.stalls += report.stalls
        relayed_bytes = relayed_part(report)
        sums.relayed_bytes += relayed_bytes
        sums.far_bytes += report.peer_bytes - relayed_bytes
        for level, count in by_level.items():
            column = _COLUMN_OF_LEVEL.get(level)
            if column is not None:
                setattr(sums, column, getattr(sums, column) + count)
                sums.far_bytes -= count
        sums.cdn_bytes += report.cdn_bytes
        sums.sent_bytes += report.sent_bytes
        connected = sum(report.attempts.values())
        sums.connected += connected
        sums.failed += len(report.attempts) - connected
        if report.first_frame_ms is not None:
            sums.first_frame_ms += report.first_frame_ms
            column = FRAME_COLUMNS[bisect_left(FIRST_FRAME_BOUNDS_MS, report.first_frame_ms)]
            setattr(sums, column, getattr(sums, column) + 1)

    def take(
        self, swarms: Swarms, holdouts: Mapping[str, int], now: float
    ) -> tuple[dict[LedgerKey, Sums], dict[str, str]]:
        """Return the sums since the last call and the names of their contents, and begin anew.

        Viewers' time is sampled here: those who are there now have been there since. `holdouts` are members of each
        site's holdout, whose content nobody knows.
        """
        elapsed_s = 0.0 if self._sampled_at is None else now - self._sampled_at
        self._sampled_at = now
        for swarm in swarms:
            if swarm.key.family is Family.NATIVE:
                key = LedgerKey(swarm.key.site, swarm.key.info_hash, Group.SHARING)
                sums = self._of(key)
                sums.viewer_ms += round(len(swarm) * elapsed_s * MS_PER_S)
                sums.possible_bytes += sums.media_bytes * (len(swarm) - 1) // len(swarm)
        for site, members in holdouts.items():
            if members:
                key = LedgerKey(site, OTHERS, Group.HOLDOUT)
                self._of(key).viewer_ms += round(members * elapsed_s * MS_PER_S)
        taken, self._sums = self._sums, {}
        names, self._names = self._names, {}
        return taken, names


def largest(sums: Mapping[LedgerKey, Sums], count: int) -> dict[LedgerKey, Sums]:
    """Return the sums of the `count` contents with the most viewers at all sites, the rest of a site as OTHERS."""
    weights: dict[tuple[str, str], tuple[int, int]] = {}
    for key, one in sums.items():
        if key.content == OTHERS:
            continue
        time_ms, size_bytes = weights.get(key[:2], (0, 0))
        weights[key[:2]] = (time_ms + one.viewer_ms, size_bytes + one.media_bytes)
    kept = set(sorted(weights, key=lambda pair: (weights[pair], pair), reverse=True)[:count])
    found: dict[LedgerKey, Sums] = {}
    merge(found, ((key if key[:2] in kept else key._replace(content=OTHERS), one) for key, one in sums.items()))
    return found


def merge(into: dict[LedgerKey, Sums], several: Iterable[tuple[LedgerKey, Sums]]) -> None:
    """Add sums to those of the same keys in `into`."""
    for key, one in several:
        into.setdefault(key, Sums()).add(one)


def total(several: Iterable[Sums]) -> Sums:
    """Return what all counted together."""
    summed = Sums()
    for one in several:
        summed.add(one)
    return summed
