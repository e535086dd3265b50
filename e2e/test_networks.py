"""A device that goes to another network takes its neighbours along: ICE restarts, on the same channels."""

from __future__ import annotations

import asyncio

from e2e.conftest import Run
from e2e.harness.bed import Bed
from e2e.harness.browsers import BrowserName, Browsers
from e2e.harness.viewers import Viewer, open_viewer, wait_playing, wait_until

# Keeps the connections of a page, and what its pool tells of neighbours.
KEEP = """(() => {
  window.kept = { connections: [], ends: 0 };
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, parameters, newTarget) {
      const connection = Reflect.construct(target, parameters, newTarget);
      kept.connections.push(connection);
      return connection;
    },
  });
  addEventListener("DOMContentLoaded", () => {
    PeerPool.on("peer", ({ state }) => { if (state === "closed") kept.ends++; });
  });
})()"""
# What names the way that is used: new with each restart (RFC 8445 section 9).
FRAGMENTS = r"""() => kept.connections
  .filter(({ connectionState }) => connectionState === "connected")
  .flatMap(({ localDescription, remoteDescription }) => [localDescription, remoteDescription])
  .map(({ sdp }) => /a=ice-ufrag:(\S+)/.exec(sdp)[1]).sort()"""
RESTART_PAUSE_S = 5  # of the library's: restarts of one connection are that far apart
# As browsers tell of a network that is there again; the loopback interface of a test never goes.
MOVED = "() => dispatchEvent(new Event('online'))"


def test_viewers_keep_their_neighbours_in_another_network(run: Run, browsers: Browsers, bed: Bed) -> None:
    async def scenario() -> None:
        viewers: list[Viewer] = []
        kinds: tuple[BrowserName, ...] = ("chromium", "firefox")
        for browser in kinds:
            viewer = await open_viewer(
                browsers, browser, bed.demo_url, f"moves-{browser}", bed.src("live"), scripts=[KEEP]
            )
            await wait_playing(viewer)
            viewers.append(viewer)

        async def connected() -> bool:
            return [(await viewer.status()).neighbours for viewer in viewers] == [1, 1]

        async def fragments() -> list[list[str]]:
            return [await viewer.page.evaluate(FRAGMENTS) for viewer in viewers]

        await wait_until(connected, 20, "they are neighbours")
        for mover in viewers:  # the one that offered, and the one that did not; whichever that is
            if mover is not viewers[0]:
                await asyncio.sleep(RESTART_PAUSE_S)
            before = await fragments()

            async def restarted(before: list[list[str]] = before) -> bool:
                now = await fragments()
                news = [set(after) - set(old) for after, old in zip(now, before, strict=True)]
                return [len(found) for found in news] == [2, 2]

            await mover.page.evaluate(MOVED)
            took_s = await wait_until(restarted, 10, f"{mover.name} restarts ICE")
            print(f"{mover.name}: both ends have new fragments {took_s:.2f} s later")
            moved_bytes = [(await viewer.status()).bytes("fromPeers") for viewer in viewers]

            async def shares(moved_bytes: list[int] = moved_bytes) -> bool:
                return sum([(await viewer.status()).bytes("fromPeers") for viewer in viewers]) > sum(moved_bytes)

            await wait_until(shares, 15, "they share on")
        for viewer in viewers:
            assert await viewer.page.evaluate("() => [kept.ends, kept.connections.length]") == [0, 1]
            status = await viewer.status()
            # A machine that is busy for a quarter of a second is an error to hls.js, but none to who watches.
            assert status.stalls == 0, status
            assert [error for error in status.player_errors if error.startswith("fatal")] == [], status

    run(scenario())
