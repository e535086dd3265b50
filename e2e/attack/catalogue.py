"""All attacks by name, in groups that share a setting: what each needs, and which are enough for a short run."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from e2e.attack import admission, aiming, integrity, live_stage, resources, signalling, slow, unread, watching
from e2e.attack.floods import FLOODS
from e2e.attack.lies import LIES
from e2e.attack.outcomes import Outcome
from e2e.attack.stage import stage
from e2e.harness.tracker import Tracker

Attack = Callable[[Any], Awaitable[Outcome]]

INTEGRITY: Final[dict[str, Attack]] = {
    "integrity: honest peer": integrity.honest,
    **{f"integrity: {name}": functools.partial(integrity.lie_alone, name=name) for name in LIES},
    "integrity: a flipped bit, Firefox": functools.partial(
        integrity.lie_alone, name="a flipped bit", browser="firefox"
    ),
    "integrity: half polluters": integrity.half_polluters,
    "integrity: in another's name": integrity.framed,
    "integrity: nobody signs": integrity.spot,
    "integrity: nobody signs, one piece of each": integrity.spot_rare,
}
LIVE: Final[dict[str, Attack]] = {
    "live: honest peer": integrity.honest,
    **{f"live: {name}": functools.partial(integrity.lie_alone, name=name) for name in live_stage.LIES},
}
RESOURCES: Final[dict[str, Attack]] = {
    "resources: what is measured": resources.measures,
    **{f"resources: {name}": functools.partial(resources.flood, name=name) for name in FLOODS},
    "aiming: candidates of a victim": aiming.candidate_flood,
}
ADMISSION: Final[dict[str, Attack]] = {
    "admission: honest token": admission.honest,
    **{f"admission: {name}": functools.partial(admission.attempt, name=name) for name in admission.ATTEMPTS},
    "admission: site switched off": admission.switched_off,
}
SIGNALLING: Final[dict[str, Attack]] = {
    "signalling: relay into another swarm": signalling.foreign_relay,
    "signalling: another's name": signalling.forged_sender,
    "signalling: unasked answers": signalling.unasked,
    "signalling: giant descriptions": signalling.giant_sdp,
    "signalling: 10,000 offers": signalling.offer_flood,
}
# The same with fewer sockets, and no longer than it takes: for a short run.
SLOW_FEW: Final = "slow: a head by the byte, 500"
SLOW: Final[dict[str, Attack]] = {
    SLOW_FEW: functools.partial(slow.sockets, name="a head by the byte", count=500, control_s=8.0),
    **{f"slow: {name}": functools.partial(slow.sockets, name=name) for name in slow.KINDS},
    "slow: all descriptors": slow.all_slots,
    "slow: members that read nothing": unread.unread,
}


def _in_thread(attack: Callable[[], Outcome]) -> Attack:
    async def run(_setting: object) -> Outcome:
        return await asyncio.to_thread(attack)

    return run


CORE: Final[dict[str, Attack]] = {
    "core: enumeration by one socket": _in_thread(functools.partial(signalling.enumeration, 1)),
    "core: enumeration by 20 of one line": _in_thread(functools.partial(signalling.enumeration, 20)),
    "core: false accusations by one line": _in_thread(signalling.false_accusations),
}
# How names of attacks on viewers begin, which need browsers; the others are on trackers.
ON_VIEWERS: Final = ("integrity: ", "resources: ")
# One of each kind: what runs with the other tests.
SHORT: Final = frozenset(
    (
        "integrity: a flipped bit", "integrity: digest in the name of the key", "resources: REQUEST flood",
        "core: enumeration by one socket", "core: enumeration by 20 of one line", "core: false accusations by one line",
        "watch: redirect off the list", "watch: loopback by name", "watch: endless segment", "watch: rebinding name",
        SLOW_FEW, *ADMISSION, *SIGNALLING,
    )
)  # fmt: skip


@asynccontextmanager
async def _tracker(folder: Path) -> AsyncIterator[Tracker]:
    tracker = signalling.located_tracker(folder)
    await asyncio.to_thread(tracker.start)
    try:
        yield tracker
    finally:
        tracker.stop()


@asynccontextmanager
async def _folder(folder: Path) -> AsyncIterator[Path]:
    yield folder


@asynccontextmanager
async def _nothing(_folder: Path) -> AsyncIterator[None]:
    yield None


# Settings by name, each with its attacks. `stage` is the dearest: browsers, an origin, a tracker.
GROUPS: Final[Mapping[str, tuple[Callable[[Path], Any], Mapping[str, Attack]]]] = {
    "core": (_nothing, CORE),
    "signalling": (_tracker, SIGNALLING),
    "slow": (_folder, SLOW),
    "doors": (admission.doors, ADMISSION),
    "traps": (watching.trapped, watching.WATCHING),
    "stage": (stage, {**INTEGRITY, **RESOURCES}),
    "live": (live_stage.live_stage, LIVE),
}
