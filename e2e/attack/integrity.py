"""Attacks on what is played: bytes that are not the content's, from peers that hold everything and are asked first.

With the defence off (`integrity.mode` "off") the player is given them. With it on, nobody's player is, the liar is
disconnected and not taken again, and nobody stalls. The witness is connected to the victim only: what is wrong with it
came through an honest viewer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from e2e.attack.hostile_peer import PIECE, HostilePeer
from e2e.attack.lies import EVERY_PIECE, HONEST, LIES, Feeder, Lie
from e2e.attack.outcomes import Figure, Outcome
from e2e.attack.stage import TRACKS, Mode, Stage
from e2e.harness.browsers import BrowserName
from e2e.harness.viewers import NeverTrue, Viewer, wait_playing, wait_until

CONTROL_S: Final = 15.0
WATCH_S: Final = 5.0
LOSS_S: Final = 10.0
REDIAL_S: Final = 2.0


async def honest(stage: Stage) -> Outcome:
    """Take an honest feeder, with the defence on: or the attacks below would prove nothing."""
    async with stage.cast():
        viewer = await stage.viewer("victim", "signed")
        await stage.joined(1)
        peer = await stage.peer(Feeder(stage.truth, TRACKS))
        await wait_playing(viewer)
        await asyncio.sleep(WATCH_S)
        status, given = await viewer.status(), await stage.given(viewer)
        from_peers = status.bytes("fromPeers")
        broken = [f"{len(given.wrong)} wrong segments of honest bytes"] * bool(given.wrong)
        broken += ["an honest peer was hung up on"] * bool(peer.deeds["lost"])
        broken += ["nothing was taken of an honest peer"] * (from_peers == 0)
        broken += [f"{status.stalls} stalls"] * bool(status.stalls)
        return Outcome(None, broken, {"bytes from it": from_peers, "segments": given.segments})


async def lie_alone(stage: Stage, name: str, browser: BrowserName = "chromium") -> Outcome:
    """One liar is all that a viewer's first seconds know."""
    lie = LIES[name]
    control = await _takes_lies(stage, lie, browser)
    async with stage.cast():
        broken, figures = await _defended(stage, [lie], browser)
    return Outcome(control, broken, figures)


async def half_polluters(stage: Stage) -> Outcome:
    """Two liars among four: who is honest is not taken for one of them."""
    lie = LIES["a flipped bit"]
    control = await _takes_lies(stage, lie, "chromium")
    async with stage.cast():
        broken, figures = await _defended(stage, [lie, HONEST, lie, HONEST], "chromium")
    return Outcome(control, broken, figures)


async def spot(stage: Stage) -> Outcome:
    """Nobody signs, and a liar changes every piece: its first is compared with the CDN before any of it counts."""
    control = await _takes_lies(stage, EVERY_PIECE, "chromium")
    async with stage.cast():
        broken, figures = await _spotted(stage, EVERY_PIECE)
        return Outcome(control, broken, figures)


async def spot_rare(stage: Stage) -> Outcome:
    """Nobody signs, and a liar changes one piece of each segment: found by chance, too late (docs/integrity.md)."""
    lie = LIES["a flipped bit"]
    control = await _takes_lies(stage, lie, "chromium")
    async with stage.cast():
        broken, figures = await _spotted(stage, lie)
        return Outcome(control, broken, figures, awaited=True)  # only signatures keep it out


async def _spotted(stage: Stage, lie: Lie) -> tuple[list[str], dict[str, Figure]]:
    victim = await stage.viewer("victim", "spot")
    await stage.joined(1)
    peer = await stage.peer(Feeder(stage.truth, TRACKS, lie))
    lost = await _happens(lambda: found_out(peer), LOSS_S)
    peer.dial()
    await asyncio.sleep(WATCH_S)
    given, status = await stage.given(victim), await victim.status()
    broken = [] if lost else ["the liar was never found out"]
    try:
        await wait_playing(victim, LOSS_S)
    except NeverTrue:  # its decoder may have stopped at what it was given
        broken.append("the player plays no longer")
    broken += ["the liar was taken again"] * (lost and peer.deeds["opened"] > 1)
    broken += [f"{status.stalls} stalls"] * bool(status.stalls)
    broken += [f"the player was given {len(given.wrong)} wrong segments"] * bool(given.wrong)
    return broken, {"wrong segments": len(given.wrong), "of": given.segments, "pieces it sent": peer.sent[PIECE]}


async def framed(stage: Stage) -> Outcome:
    """Lie under the peer id of an honest one: the honest one must not pay for it, nor the liar get away."""
    lie = LIES["a flipped bit"]
    control = await _takes_lies(stage, lie, "chromium")
    async with stage.cast():
        await stage.viewer("victim", "signed")
        await stage.joined(1)
        innocent = await stage.bystander(Feeder(stage.truth, TRACKS))
        victim = next(iter(innocent.told_neighbours))
        liar = await stage.peer(Feeder(stage.truth, TRACKS, lie), target=victim, alias=innocent.peer)
        lost = await _happens(lambda: liar.deeds["lost"] > 0, LOSS_S)
        innocent.target = victim
        innocent.dial()
        taken = await _happens(lambda: innocent.deeds["opened"] > 0, LOSS_S)
        liar.session = secrets.token_hex(8)  # a new browser it says, over the socket that was found out
        liar.dial()
        again = await _happens(lambda: liar.deeds["opened"] > 1, REDIAL_S)
        broken = [] if lost else ["the liar was not hung up on"]
        broken += [] if taken else ["the honest one is not taken any more"]
        broken += ["the liar was taken again under the peer id it has at the tracker"] if again else []
        return Outcome(control, broken, {"honest one declined": innocent.deeds["declined"]})


async def _takes_lies(stage: Stage, lie: Lie, browser: BrowserName) -> bool:
    """Whether a viewer without the defence is given what is not the content's."""
    async with stage.cast():
        viewer = await stage.viewer("victim", "off", browser)
        await stage.joined(1)
        await stage.peer(Feeder(stage.truth, TRACKS, lie))
        return await _given_wrong(stage, viewer)


async def _given_wrong(stage: Stage, viewer: Viewer) -> bool:
    async def wrong() -> bool:
        return bool((await stage.given(viewer)).wrong)

    try:
        await wait_until(wrong, CONTROL_S, "the player is given something wrong")
    except NeverTrue:
        return False
    return True


async def _happens(what: Callable[[], bool], timeout_s: float) -> bool:
    async def there() -> bool:
        return what()

    try:
        await wait_until(there, timeout_s, "it happens")
    except NeverTrue:
        return False
    return True


def found_out(peer: HostilePeer) -> bool:
    """Whether a viewer has hung up on it."""
    return peer.deeds["lost"] > 0


async def _defended(stage: Stage, lies: Sequence[Lie], browser: BrowserName) -> tuple[list[str], dict[str, Figure]]:
    mode: Mode = "signed"
    victim = await stage.viewer("victim", mode, browser)
    await stage.joined(1)
    peers: list[HostilePeer] = []
    for lie in lies:
        target = peers[0].target if peers else None
        peers.append(await stage.peer(Feeder(stage.truth, TRACKS, lie), target=target))
    liars = [peer for peer, lie in zip(peers, lies, strict=True) if lie is not HONEST]
    honest_ones = [peer for peer in peers if peer not in liars]
    witness = await stage.viewer("witness", mode)
    lost = await _happens(lambda: all(found_out(peer) for peer in liars), LOSS_S)
    for liar in liars:
        liar.dial()
    await wait_playing(victim)
    await wait_playing(witness)
    await asyncio.sleep(max(WATCH_S, REDIAL_S))

    broken: list[str] = []
    for viewer in (victim, witness):
        status, given = await viewer.status(), await stage.given(viewer)
        if given.wrong:
            broken.append(f"{viewer.name} was given {len(given.wrong)} wrong segments, first {given.wrong[0]}")
        if status.stalls or any(error.startswith("fatal") for error in status.player_errors):
            broken.append(f"{viewer.name}: {status.stalls} stalls, errors {status.player_errors[:3]}")
    if not lost and any(
        peer.sent[PIECE] and not found_out(peer) for peer in liars
    ):  # who was asked for nothing told no lie
        broken.append("a liar was not hung up on")
    if any(liar.deeds["opened"] > 1 or liar.deeds["offers after a loss"] for liar in liars):
        broken.append("a liar was taken again")
    if any(peer.deeds["lost"] for peer in honest_ones):
        broken.append("an honest peer was hung up on")
    if honest_ones and not any(peer.sent[PIECE] for peer in honest_ones):
        broken.append("nothing was taken of the honest peers")
    figures: dict[str, Figure] = {
        "segments": (await stage.given(victim)).segments + (await stage.given(witness)).segments,
        "pieces liars sent": sum(peer.sent[PIECE] for peer in liars),
        "victim from peers": (await victim.status()).bytes("fromPeers"),
    }
    return broken, figures
