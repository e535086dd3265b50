"""Candidates that point at somebody else: whom a viewer's browser is made to send packets to, and how many."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from aiortc import RTCPeerConnection

from e2e.attack.caller import Caller
from e2e.attack.outcomes import Figure, Outcome
from e2e.attack.stage import Stage
from e2e.attack.victim_ports import VictimPorts
from e2e.harness.viewers import wait_playing

PORTS: Final = 64
CALLERS: Final = 4
SENDING_S: Final = 12.0
# After this since the offers the viewer must have given up (CONNECT_TIMEOUT_MS of its library, and a second).
GIVEN_UP_S: Final = 16.0
QUIET_S: Final = 2.0
# A browser checks one pair every 50 ms at most (RFC 8445 section 14.2): for as long as the viewer tries.
PACKETS_OF_ONE_OFFER: Final = 320
# A browser's own candidates to one neighbour: interfaces, both families, a reflexive one and a relayed one of each.
PORTS_OF_ONE_OFFER: Final = 16
BARE: Final = """async ([offers, candidates]) => {
  for (const sdp of offers) {
    const connection = new RTCPeerConnection();
    await connection.setRemoteDescription({ type: "offer", sdp });
    for (const candidate of candidates) await connection.addIceCandidate({ candidate, sdpMLineIndex: 0 });
    await connection.setLocalDescription(await connection.createAnswer());
  }
}"""


async def _offer_sdp() -> str:
    """Make a real offer, without a candidate of ours."""
    connection = RTCPeerConnection()
    try:
        connection.createDataChannel("control", negotiated=True, id=0)
        await connection.setLocalDescription(await connection.createOffer())
        lines = str(connection.localDescription.sdp).splitlines(keepends=True)
    finally:
        await connection.close()
    return "".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))


async def candidate_flood(stage: Stage) -> Outcome:
    """Offer to a viewer as some callers, each with 64 candidates of one victim: in the offer, and trickled again."""
    offers = [await _offer_sdp() for _ in range(CALLERS)]
    bare_packets, bare_ports = await _bare(stage, offers)
    async with stage.cast(), VictimPorts(PORTS) as ports, AsyncExitStack() as stack:
        viewer = await stage.viewer("viewer", "signed")
        await stage.joined(1)
        callers = [await stack.enter_async_context(Caller(stage.bed.tracker.port)) for _ in offers]
        welcomes = [await caller.join(stage.truth.content) for caller in callers]
        (to,) = welcomes[0]["neighbours"]  # the viewer: nobody else was there
        lines = ports.candidates()
        for caller, sdp in zip(callers, offers, strict=True):
            aimed = sdp + "".join(f"a={line}\r\n" for line in lines)
            await caller.say({"type": "offer", "to": to, "sdp": aimed})
            for line in lines:
                await caller.say({"type": "candidate", "to": to, "candidate": line, "mid": "0", "line": 0})
        await wait_playing(viewer)
        await asyncio.sleep(GIVEN_UP_S)
        status, packets, hit = await viewer.status(), ports.total, len(ports.packets)
        await asyncio.sleep(QUIET_S)
        late = ports.total - packets
    broken = [f"{hit} ports of the victim were sent to"] if hit > PORTS_OF_ONE_OFFER * CALLERS else []
    broken += [f"{packets} packets for {CALLERS} offers"] if packets > PACKETS_OF_ONE_OFFER * CALLERS else []
    broken += [f"{late} packets after the viewer had given up"] if late else []
    broken += [f"{status.stalls} stalls"] if status.stalls else []
    figures: dict[str, Figure] = {"bare ports": bare_ports, "bare packets": bare_packets, "in s": SENDING_S}
    figures |= {"ports": hit, "packets": packets, "offers": CALLERS}
    return Outcome(bare_ports > PORTS_OF_ONE_OFFER, broken, figures)


async def _bare(stage: Stage, offers: list[str]) -> tuple[int, int]:
    """Count what a page without the library is made to send by the same."""
    async with VictimPorts(PORTS) as ports:
        context = await stage.browsers.new_context("chromium")
        try:
            page = await context.new_page()
            await page.goto(f"{stage.bed.origin.url}/pages/blank.html")
            await page.evaluate(BARE, [offers, ports.candidates()])
            await asyncio.sleep(SENDING_S)
        finally:
            await context.close()
        return ports.total, len(ports.packets)
