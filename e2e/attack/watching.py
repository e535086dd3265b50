"""Attacks by an origin on the tracker that follows its streams (`watch`): to have it read elsewhere, or for ever.

The control is what a fetch without the rules does with the same URL: it follows, resolves twice and reads on.
"""

from __future__ import annotations

import asyncio
import functools
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx
from peerpool.core.digests import RECORD_SEGMENT_BYTES_MAX, SegmentName
from peerpool.core.identity import KIND_MEDIA, content_id
from peerpool.core.playlists import ONLY_TRACK
from peerpool.core.watch import State
from peerpool.keys import new_key
from peerpool.settings import WatchedStream
from peerpool.watcher import SEGMENT_TIMEOUT_S, Watcher

from bench.processes import resident_bytes
from e2e.attack.caller import Caller
from e2e.attack.outcomes import Figure, Outcome
from e2e.harness.hostile_origin import PLAYLIST, SEGMENT, HostileOrigin, hostile_origin
from e2e.harness.tracker import Tracker
from tests.core.driver import OTHER_CONTENT

MIB: Final = 1 << 20
# A fetch without rules is given so long; what it has by then it would go on with.
NAIVE_S: Final = 3.0
NAIVE_BYTES_MAX: Final = 2 * RECORD_SEGMENT_BYTES_MAX
GROWN_MAX_BYTES: Final = 48 * MIB
HONEST_MAX_MS: Final = 1000
# What is too large is read once; beside it those traps that are tried again and again.
SENT_MAX_BYTES: Final = 2 * RECORD_SEGMENT_BYTES_MAX
FIRST: Final = SegmentName(ONLY_TRACK, KIND_MEDIA, 0, 0)


@dataclass(frozen=True)
class Trap:
    """A stream that the tracker follows: `path` of its manifest at the hostile origin, and what springs it."""

    path: str
    manifest: str = ""  # what the manifest says, where it is not the usual
    stream: Callable[[str], Mapping[str, object]] = lambda url: {"url": "https://cdn.example", "fetch_from": url}


def _segment_playlist(uri: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{uri}\n#EXT-X-ENDLIST\n"


def _by_name(host: str) -> Callable[[str], Mapping[str, object]]:
    return lambda url: {"url": f"http://{host}:{urlsplit(url).port}"}


# SECRET stands for the URL of a server that nobody may be led to.
TRAPS: Final = {
    "redirect off the list": Trap("/redirect/SECRET/ok/master.m3u8"),
    "segment elsewhere": Trap("/ok/elsewhere.m3u8", _segment_playlist("SECRET/ok/segment.ts")),
    "segment redirected": Trap("/ok/moved.m3u8", _segment_playlist("/redirect/SECRET/ok/segment.ts")),
    "loopback by name": Trap("/ok/by-name.m3u8", stream=_by_name("localhost")),
    "loopback by number": Trap("/ok/by-number.m3u8", stream=_by_name("2130706433")),
    "loopback in IPv6": Trap("/ok/by-ipv6.m3u8", stream=_by_name("[::ffff:7f00:1]")),
    "endless playlist": Trap("/endless/master.m3u8"),
    "endless headers": Trap("/headers/master.m3u8"),
    "endless segment": Trap("/ok/endless.m3u8", _segment_playlist("/endless/segment.ts")),
    "huge segment": Trap("/ok/large.m3u8", _segment_playlist("/large/segment.ts")),
    "slow segment": Trap("/ok/slow.m3u8", _segment_playlist("/slow/segment.ts")),
    "silent origin": Trap("/silent/master.m3u8"),
}


@dataclass(frozen=True)
class Trapped:
    """A tracker that follows all of the traps, the origin that has set them, and what nobody may be led to."""

    tracker: Tracker
    origin: HostileOrigin
    secret: HostileOrigin


@asynccontextmanager
async def trapped(folder: Path) -> AsyncIterator[Trapped]:
    """Run them."""
    async with hostile_origin() as secret, hostile_origin() as origin:
        watch = []
        for name, trap in TRAPS.items():
            if trap.manifest:
                said = trap.manifest.replace("SECRET", secret.url)
                origin.files[trap.path.rpartition("/")[2]] = said.encode()
            elif trap.path.startswith("/ok/"):
                origin.files[trap.path.rpartition("/")[2]] = PLAYLIST
            stream = dict(trap.stream(origin.url))
            stream["url"] = f"{stream['url']}{_path(trap, secret)}"
            watch.append({**stream, "content": name})
        tracker = Tracker(folder, env={"PEERPOOL_WATCH": json.dumps(watch)})
        await asyncio.to_thread(tracker.start)
        try:
            yield Trapped(tracker, origin, secret)
        finally:
            tracker.stop()


async def spring(setting: Trapped, name: str) -> Outcome:
    """Have a viewer ask for a record of the stream, and see what the tracker does meanwhile."""
    trap, origin, secret = TRAPS[name], setting.origin, setting.secret
    control = await _naive(setting, trap)
    secret.asked.clear()
    origin.sent_bytes.clear()
    before = resident_bytes(setting.tracker.pid)
    begun_s = time.monotonic()
    asking = asyncio.create_task(_ask(setting.tracker, content_id(name)))
    joins_ms: list[float] = []
    peak = before
    while not asking.done() or len(joins_ms) < 20:
        joins_ms.append(await _join_ms(setting.tracker))
        peak = max(peak, resident_bytes(setting.tracker.pid))
        await asyncio.sleep(0.05)
    status = await asking
    sent = origin.sent_bytes.total()
    broken = [f"it was led to {path}" for path in secret.asked]
    broken += [f"it answered {status}"] if status == httpx.codes.OK else []
    broken += [f"its memory grew by {(peak - before) / MIB:.0f} MiB"] if peak - before > GROWN_MAX_BYTES else []
    broken += [f"it read {sent / MIB:.0f} MiB"] if sent > SENT_MAX_BYTES else []
    broken += [f"an honest join took {max(joins_ms):.0f} ms"] if max(joins_ms) > HONEST_MAX_MS else []
    figures: dict[str, Figure] = {"answer": status, "after s": time.monotonic() - begun_s}
    figures |= {"read MiB": sent / MIB, "memory MiB": (peak - before) / MIB, "join ms": statistics.median(joins_ms)}
    return Outcome(control, broken, figures)


async def rebinding(_setting: Trapped) -> Outcome:
    """Lead by a name that is on the Internet when it is judged, and on this machine when it is asked for again."""
    async with hostile_origin() as secret:
        host, asked = "rebinding.example", 0

        async def resolve(_host: str, _port: int) -> list[str]:
            nonlocal asked
            asked += 1
            return ["192.88.99.1"] if asked % 2 else ["127.0.0.1"]  # RFC 7526: the first is routed by nobody

        await resolve(host, 0)  # judged: good
        (address,) = await resolve(host, 0)  # and resolved again by who connects
        url = f"http://{address}:{secret.port}/ok/master.m3u8"
        async with httpx.AsyncClient(trust_env=False) as client:
            control = (await client.get(url)).content == PLAYLIST
        secret.asked.clear()
        watcher = Watcher([WatchedStream(f"http://{host}:{secret.port}/ok/master.m3u8", "x")], [new_key()], resolve)
        running = asyncio.create_task(watcher.run())
        answer = await watcher.record(content_id("x"), FIRST, "line")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        broken = [f"it was led to {path}" for path in secret.asked]
        broken += [] if answer is State.DUE else ["it gave a record"]
        return Outcome(control, broken, {"resolved": asked - 2})


WATCHING: Final[dict[str, Callable[[Trapped], Awaitable[Outcome]]]] = {
    **{f"watch: {name}": functools.partial(spring, name=name) for name in TRAPS},
    "watch: rebinding name": rebinding,
}


def _path(trap: Trap, secret: HostileOrigin) -> str:
    return trap.path.replace("SECRET", quote(secret.url, safe=""))


async def _naive(setting: Trapped, trap: Trap) -> bool:
    """Read the stream without rules; say whether that led to the secret, to too much, or to no end."""
    url = setting.origin.url + _path(trap, setting.secret)
    try:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=None) as client:
            async with asyncio.timeout(NAIVE_S):
                body = await _read(client, url)
                segment = body.decode().splitlines()[3] if body.startswith(b"#EXTM3U") else ""
                body = await _read(client, str(httpx.URL(url).join(segment))) if segment else body
    except (TimeoutError, httpx.RemoteProtocolError):
        return True  # it goes on for ever, or until the parser of heads gives up
    if "SECRET" in trap.path + trap.manifest:
        return bool(setting.secret.asked)
    return len(body) > RECORD_SEGMENT_BYTES_MAX or body == SEGMENT


async def _read(client: httpx.AsyncClient, url: str) -> bytes:
    body = bytearray()
    async with client.stream("GET", url) as response:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > NAIVE_BYTES_MAX:
                break
    return bytes(body)


async def _ask(tracker: Tracker, content: str) -> int:
    parts = (content, FIRST.track_hex, FIRST.kind, FIRST.discontinuity, FIRST.number)
    url = f"{tracker.url}/digests/{'/'.join(map(str, parts))}"
    async with httpx.AsyncClient(trust_env=False, timeout=SEGMENT_TIMEOUT_S) as client:
        return (await client.get(url)).status_code


async def _join_ms(tracker: Tracker) -> float:
    begun_s = time.monotonic()
    async with Caller(tracker.port) as caller:
        answer = await caller.join(OTHER_CONTENT)
        assert answer["type"] == "welcome", answer
    return (time.monotonic() - begun_s) * 1000
