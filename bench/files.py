"""One file to several viewers who begin at once: copies from the origin, and time beside a plain fetch.

One of them reloads its page half way. The origin paces each connection, as a line would; how many bytes it sent is read
from its log. Each viewer's bytes are hashed in the page. The viewer who reloads keeps files on its disk
(`fileCacheBytes`), as a page that wants to resume does; the others have memory only.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from e2e.harness.browsers import Browsers, browsers
from e2e.harness.origin_client import Origin
from e2e.harness.page_server import PageServer
from e2e.harness.tracker import Tracker
from e2e.harness.viewers import wait_until

HASHED_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 1024 * 1024
VIEWER = """
window.download = { loadedBytes: 0, peerBytes: 0, hash: null, error: null, seconds: 0 };
// The hash of hashes of 4 MiB each: a page has no incremental SHA-256, and need not hold the whole file.
window.start = async (url, how) => {
  const { download } = window;
  const parts = [];
  const buffer = new Uint8Array(HASHED_BYTES);
  let filled = 0;
  const flush = async () => {
    parts.push(new Uint8Array(await crypto.subtle.digest("SHA-256", buffer.slice(0, filled))));
    filled = 0;
  };
  const began = performance.now();
  try {
    const progress = ({ peerBytes }) => { download.peerBytes = peerBytes; };
    const response = await (how === "plain" ? fetch(url, { cache: "no-store" }) : PeerPool.fetch(url, { progress }));
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      download.loadedBytes += value.length;
      for (let at = 0; at < value.length; ) {
        const part = value.subarray(at, at + buffer.length - filled);
        buffer.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === buffer.length) await flush();
      }
    }
    download.seconds = (performance.now() - began) / 1000;
    if (filled > 0) await flush();
    const all = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
    download.hash = [...all].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch (error) {
    download.error = String(error);
  }
};
""".replace("HASHED_BYTES", str(HASHED_BYTES))


@dataclass(frozen=True)
class Plan:
    """Sizes and rates of a run."""

    viewers: int = 6
    size_mb: float = 200
    rate_mbps: float = 20  # of each connection to the origin
    latency_ms: float = 30
    upload_mbps: float = 20  # of each viewer, to the others together; the library's own default
    reloads: bool = True
    plain: bool = True  # whether one viewer fetches it plainly first, to compare with


@dataclass(frozen=True)
class Result:
    """What came of it."""

    copies: float  # bytes that the origin sent to the sharing viewers / size of the file
    reload_copies: float  # ... of them to the viewer who reloaded, after it had
    seconds: list[float]  # of each viewer's last download
    plain_seconds: float
    peer_share: float  # of what the viewers read, since they last began
    wrong: int  # viewers whose hash is not the file's, or who failed
    errors: list[str]


def render(plan: Plan, result: Result) -> list[str]:
    """Say it for people."""
    rate = plan.size_mb * 8 / max(result.seconds)
    return [
        f"{plan.size_mb:.0f} MB to {plan.viewers} viewers at {plan.rate_mbps:.0f} Mbit/s a connection: "
        f"{result.copies:.3f} copies from the origin (alone: {plan.viewers})",
        f"  slowest {max(result.seconds):.1f} s ({rate:.0f} Mbit/s), fastest {min(result.seconds):.1f} s"
        + (f", plain {result.plain_seconds:.1f} s" if result.plain_seconds else ""),
        f"  after its reload one viewer took {result.reload_copies:.3f} of a copy from the origin",
        f"  {result.peer_share:.0%} of what was read last came of other viewers; {result.wrong} wrong",
        *(f"  {error}" for error in result.errors),
    ]


def write_file(path: Path, size_bytes: int) -> str:
    """Write random bytes; return the hash that pages make of them."""
    source = random.Random(size_bytes)
    hashes = b""
    with path.open("wb") as file:
        chunk = b""
        for start in range(0, size_bytes, WRITE_BYTES):
            data = source.randbytes(min(WRITE_BYTES, size_bytes - start))
            file.write(data)
            chunk += data
            if len(chunk) >= HASHED_BYTES:
                hashes += hashlib.sha256(chunk[:HASHED_BYTES]).digest()
                chunk = chunk[HASHED_BYTES:]
    if chunk:
        hashes += hashlib.sha256(chunk).digest()
    return hashlib.sha256(hashes).hexdigest()


async def measure(plan: Plan, running: Browsers, folder: Path, tracker: Tracker) -> Result:
    """Run it on an origin of its own, at a tracker that runs."""
    size_bytes = int(plan.size_mb * 1e6)
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    expected = write_file(files / "file.bin", size_bytes)
    origin = Origin({"files": files}, folder)
    origin.start()
    try:
        origin.set_rules(
            validators=True, classes={"other": {"rate_bps": plan.rate_mbps * 1e6, "latency_ms": plan.latency_ms}}
        )
        with PageServer() as site:
            tag = f'<script src="{tracker.url}/peerpool.js"></script>'
            site.put_page("/", f"<!doctype html><title>A file</title>{tag}<script>{VIEWER}</script>")
            return await _Run(plan, running, origin, site, expected).measure()
    finally:
        origin.stop()


class _Run:
    def __init__(self, plan: Plan, running: Browsers, origin: Origin, site: PageServer, expected: str) -> None:
        self._plan = plan
        self._running = running
        self._origin = origin
        self._site = site
        self._expected = expected
        self._size_bytes = int(plan.size_mb * 1e6)

    async def measure(self) -> Result:
        plan = self._plan
        plain_s = await self._plain_s() if plan.plain else 0.0
        pages = [await self._open() for _ in range(plan.viewers)]
        reloading = pages[-1]
        for number, page in enumerate(pages):
            await self._begin(page, number)
        reloaded_at_s = time.time()
        if plan.reloads:
            await self._until(reloading, self._size_bytes // 2)
            await reloading.reload()
            reloaded_at_s = time.time()
            await self._begin(reloading, plan.viewers)
        ends = [await self._ended(page) for page in pages]
        for page in pages:
            await page.context.close()
        sent = [entry for entry in self._origin.entries() if entry.viewer not in ("", "plain")]
        after = [entry for entry in sent if entry.viewer == str(plan.viewers) and entry.started_s >= reloaded_at_s]
        return Result(
            copies=sum(entry.sent_bytes for entry in sent) / self._size_bytes,
            reload_copies=sum(entry.sent_bytes for entry in after) / self._size_bytes,
            seconds=[end["seconds"] for end in ends],
            plain_seconds=plain_s,
            peer_share=sum(end["peerBytes"] for end in ends) / (self._size_bytes * len(ends)),
            wrong=sum(end["hash"] != self._expected for end in ends),
            errors=[end["error"] for end in ends if end["error"]],
        )

    async def _plain_s(self) -> float:
        page = await self._open()
        await page.evaluate("([url]) => void start(url, 'plain')", [self._url("plain")])
        end = await self._ended(page)
        await page.context.close()
        return float(end["seconds"])

    def _url(self, viewer: str) -> str:
        return f"{self._origin.url}/files/file.bin?viewer={viewer}"

    async def _open(self) -> Page:
        context = await self._running.new_context("chromium")
        page = await context.new_page()
        await page.goto(f"{self._site.url}/", wait_until="load")
        return page

    async def _begin(self, page: Page, number: int) -> None:
        limit_bps = self._plan.upload_mbps * 1e6
        await page.evaluate("(limit) => PeerPool.configure({ uploadLimitBps: limit })", limit_bps)
        keeps = self._plan.reloads and number >= self._plan.viewers - 1
        if keeps:
            await page.evaluate("(bytes) => PeerPool.configure({ fileCacheBytes: bytes })", 2 * self._size_bytes)
        await page.evaluate("([url]) => void start(url, 'shared')", [self._url(str(number))])

    async def _until(self, page: Page, loaded_bytes: int) -> None:
        async def there() -> bool:
            return int((await page.evaluate("() => download"))["loadedBytes"]) >= loaded_bytes

        await wait_until(there, self._limit_s, f"{loaded_bytes} bytes of the file are read")

    async def _ended(self, page: Page) -> dict[str, Any]:
        async def over() -> bool:
            return await page.evaluate("() => download.hash !== null || download.error !== null") is True

        await wait_until(over, self._limit_s, "the file is read")
        ended: dict[str, Any] = await page.evaluate("() => download")
        return ended

    @property
    def _limit_s(self) -> float:
        return 20 + 4 * self._plan.size_mb * 8 / self._plan.rate_mbps


async def run(plan: Plan) -> Result:
    """Measure in a browser and at a tracker of its own."""
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(Path(folder))
        tracker.start()
        try:
            async with browsers() as running:
                return await measure(plan, running, Path(folder), tracker)
        finally:
            tracker.stop()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="One file to several viewers at once")
    parser.add_argument("--viewers", type=int, default=Plan.viewers)
    parser.add_argument("--size-mb", type=float, default=Plan.size_mb)
    parser.add_argument("--rate-mbps", type=float, default=Plan.rate_mbps, help="of each connection to the origin")
    parser.add_argument("--latency-ms", type=float, default=Plan.latency_ms, help="of the origin")
    parser.add_argument("--upload-mbps", type=float, default=Plan.upload_mbps, help="of each viewer")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = vars(parser.parse_args())
    target: Path | None = options.pop("json")
    plan = Plan(**options)
    result = asyncio.run(run(plan))
    print("\n".join(render(plan, result)))
    if target:
        target.write_text(json.dumps({"plan": asdict(plan), **asdict(result)}, indent=2) + "\n")
    sys.exit(1 if result.wrong else 0)


if __name__ == "__main__":
    main()
