"""Runs cells, from within the server's namespace: tracker, origin and TURN are here, viewers in their homes.

Started by `python -m e2e.nat`, which makes the laboratory. Prints each cell as it ends, and all as JSON to a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import httpx
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright

from e2e.harness.bed import Bed
from e2e.harness.browsers import CHROMIUM_FLAGS, BrowserMissing, find
from e2e.harness.child import Child
from e2e.harness.sources import Source
from e2e.harness.tracker import Tracker
from e2e.harness.viewers import NeverTrue, Viewer, open_page, wait_playing, wait_until
from e2e.nat import topology as lab
from e2e.nat.cells import Cell, Outcome, mapping_of
from e2e.nat.topology import Host

PAGE_PORT: Final = 443
SECRET: Final = "laboratory"
# ICE gives up a pair after some 15 s; that no UDP comes through is known after 5 s.
DIRECT_TIMEOUT_S: Final = 20.0
RELAY_TIMEOUT_S: Final = 60.0
# After both have told of their NATs nobody who has not met by then will.
APART_S: Final = 8.0
NAT_TIMEOUT_S: Final = 8.0
# A socket to the tracker that is given up, another, and an ICE restart.
MOVE_TIMEOUT_S: Final = 25.0
SHARED_BYTES: Final = 150_000
SPY: Final = (Path(__file__).parent / "spy.js").read_text()
# Not in a home: loopback is no way from one to another. And names in place of addresses, as browsers do by default.
UNWANTED: Final = ("--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns")


@dataclass
class Result:
    """What a cell came to."""

    cell: str
    expected: Outcome
    outcome: Outcome
    candidates: list[str]  # by viewer: its own end and the other of the way that is used
    mappings: list[str | None]  # by viewer, as told to the tracker
    set_up_s: float | None  # from the second page's loading to its first neighbour
    peer_bytes: int
    relayed_bytes: int
    stalls: list[int]
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether it is as theory says, and nobody was harmed."""
        return self.outcome == self.expected and not any(self.stalls) and not self.problems


class Server:
    """Bed, two trackers (without TURN and with it) and coturn, at the addresses of the topology."""

    def __init__(self, folder: Path) -> None:
        stun = {"PEERPOOL_STUN": "true"}
        plain = [lab.TRACKER, lab.STUN]
        with_turn = [lab.TURN_TRACKER, lab.TURN_STUN]
        urls = [f"turn:{lab.TURN}:3478?transport=udp", f"turn:{lab.TURN}:{PAGE_PORT}?transport=tcp"]
        env = {**stun, "PEERPOOL_STUN_LISTEN": json.dumps([*plain, lab.SERVER_IPV6])}
        self.bed = Bed(folder, tracker_env=env)  # which names itself as the page's Host header does
        # Two names: of one with both families, as there is no DNS here.
        names = [lab.TURN_TRACKER, f"[{lab.TURN_TRACKER_IPV6}]"]
        env = {**stun, "PEERPOOL_STUN_LISTEN": json.dumps([*with_turn, lab.TURN_TRACKER_IPV6])}
        env |= {"PEERPOOL_PUBLIC_HOSTS": json.dumps(names)}
        env |= {"PEERPOOL_TURN": json.dumps([{"urls": urls, "secret": SECRET}])}
        self.turn_tracker = Tracker(folder / "turn", env=env)
        command = ["turnserver", "-n", "--listening-ip", lab.TURN, "--relay-ip", lab.TURN, "--use-auth-secret"]
        command += ["--static-auth-secret", SECRET, "--realm", "laboratory", "--no-cli", "--no-tls", "--no-dtls"]
        command += ["--no-rfc5780", "--aux-server", f"{lab.TURN}:{PAGE_PORT}", "--log-file", "stdout"]
        self._turn = Child("turnserver", command, folder / "turnserver.log")

    def __enter__(self) -> Server:
        self.bed.start()
        self.bed.live.wait_playable()
        self.turn_tracker.start()
        self._turn.start()
        for address, port in (
            (lab.TRACKER, self.bed.tracker.port),
            (lab.TURN_TRACKER, self.turn_tracker.port),
            (lab.ORIGIN, self.bed.origin.port),
        ):
            rule = ["-d", address, "-p", "tcp", "--dport", str(PAGE_PORT)]
            to = f"127.0.0.1:{port}"
            lab.run("iptables", "-t", "nat", "-A", "PREROUTING", *rule, "-j", "DNAT", "--to-destination", to)
        return self

    def __exit__(self, *_: object) -> None:
        self._turn.stop()
        self.turn_tracker.stop()
        self.bed.stop()

    def page(self, cell: Cell) -> tuple[str, str]:
        """Return the URL of the demo page, and that of the stream, as a cell's viewers reach them."""
        stream = self.bed.src("live").removeprefix(self.bed.origin.url)
        if cell.ipv6:
            return f"http://[{lab.SERVER_IPV6}]:{PAGE_PORT}/demo", f"http://[{lab.SERVER_IPV6}]:8443{stream}"
        address = lab.TURN_TRACKER if cell.turn else lab.TRACKER
        return f"http://{address}:{PAGE_PORT}/demo", f"http://{lab.ORIGIN}:{PAGE_PORT}{stream}"

    def tracker_url(self, cell: Cell) -> str:
        """Return the URL of a cell's tracker, from here."""
        return self.turn_tracker.url if cell.turn else self.bed.tracker.url


@asynccontextmanager
async def over_ipv6(server: Server) -> AsyncIterator[None]:
    """Tracker and origin, which listen on IPv4 alone, at the server's IPv6 address."""
    ports = ((PAGE_PORT, server.bed.tracker.port), (8443, server.bed.origin.port))
    sources = [Source(99, to, (lab.SERVER_IPV6, port)) for port, to in ports]
    for source in sources:
        await source.__aenter__()
    try:
        yield
    finally:
        for source in sources:
            await source.__aexit__()


class Homes:
    """A browser in each host, started when it is first needed."""

    def __init__(self, playwright: Playwright, hosts: Mapping[str, Sequence[Host]], folder: Path) -> None:
        self._playwright, self._hosts, self._folder = playwright, hosts, folder
        self._browsers: dict[str, Browser] = {}

    def hosts_of(self, cell: Cell) -> list[Host]:
        """Return the two hosts of a cell: of two homes, or of one."""
        if cell.shared:
            return list(self._hosts[f"{cell.one}, one home"])
        first, second = self._hosts[cell.one], self._hosts[cell.other]
        return [first[0], second[1 if cell.one == cell.other else 0]]

    async def context(self, host: Host) -> BrowserContext:
        """Open a fresh profile in a host's browser."""
        browser = self._browsers.get(host.namespace)
        if browser is None:
            chromium = find("chromium")
            if chromium is None:
                raise BrowserMissing("chromium")
            wrapper = self._folder / f"chromium-{host.namespace}"
            wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {host.namespace} {chromium} "$@"\n')
            wrapper.chmod(0o755)
            flags = [flag for flag in CHROMIUM_FLAGS if flag not in UNWANTED]
            browser = await self._playwright.chromium.launch(executable_path=wrapper, args=flags)
            self._browsers[host.namespace] = browser
        return await browser.new_context(viewport={"width": 800, "height": 600})

    async def close(self) -> None:
        """Close the browsers."""
        for browser in self._browsers.values():
            await browser.close()


async def run_cell(server: Server, homes: Homes, cell: Cell) -> Result:
    """Play a cell and close its pages."""
    page, src = server.page(cell)
    viewers: list[Viewer] = []
    try:
        for number, host in enumerate(homes.hosts_of(cell)):
            context = await homes.context(host)
            name = f"{host.kind}-{number}"
            opened_s = time.monotonic()
            viewer = await open_page(context, "chromium", page, name, src, parameters={"level": 0}, scripts=[SPY])
            viewers.append(viewer)
            await wait_playing(viewer, 40)
        result = await _judge(server, cell, viewers, opened_s)
        if "two homes" in (cell.one, cell.other) and result.outcome != "apart":
            await _move(homes.hosts_of(cell), viewers, result)
        return result
    finally:
        for viewer in viewers:
            await viewer.close()


async def _judge(server: Server, cell: Cell, viewers: Sequence[Viewer], opened_s: float) -> Result:
    async def met() -> bool:
        return all([(await viewer.status()).neighbours > 0 for viewer in viewers])

    set_up_s = None
    problems: list[str] = []
    if cell.expected == "apart":
        await _wait_for_nats(viewers)
    timeout_s = {"direct": DIRECT_TIMEOUT_S, "relay": RELAY_TIMEOUT_S, "apart": APART_S}[cell.expected]
    try:
        await wait_until(met, timeout_s, "they meet")
        set_up_s = time.monotonic() - opened_s
        await wait_until(lambda: _have_shared(viewers), 30, "they share")
    except NeverTrue as error:
        if set_up_s is not None:
            problems.append(str(error))
    seen = [await viewer.page.evaluate("() => natSpy.ways()") for viewer in viewers]
    statuses = [await viewer.status() for viewer in viewers]
    relayed_bytes = sum(status.bytes("relayed") for status in statuses)
    mappings = [await viewer.page.evaluate("() => natSpy.mapping") for viewer in viewers]
    # Who has met may not have had the time to tell.
    for told, kind in zip(mappings, (cell.one, cell.other), strict=True):
        if told not in (mapping_of(kind), None):
            problems.append(f"told {told} behind {kind}")
    problems += [error for status in statuses for error in status.player_errors]
    is_relayed = any("relay" in way for way in seen)
    outcome: Outcome = "apart" if set_up_s is None else "relay" if is_relayed else "direct"
    if (outcome == "relay") != (relayed_bytes > 0):
        problems.append(f"{relayed_bytes} relayed bytes were counted")
    return Result(
        cell.name,
        cell.expected,
        outcome,
        seen,
        mappings,
        None if set_up_s is None else round(set_up_s, 2),
        sum(status.bytes("fromPeers") for status in statuses),
        relayed_bytes,
        [status.stalls for status in statuses],
        problems,
    )


async def _move(hosts: Sequence[Host], viewers: Sequence[Viewer], result: Result) -> None:
    """Take the first viewer to its other home while it plays: its connection is to come along."""
    before = await viewers[0].page.evaluate("() => natSpy.fragments()")
    moved_bytes = sum([(await viewer.status()).bytes("fromPeers") for viewer in viewers])
    lab.move(hosts[0])
    begun_s = time.monotonic()

    async def arrived() -> bool:
        fragments = await viewers[0].page.evaluate("() => natSpy.fragments()")
        shared_bytes = sum([(await viewer.status()).bytes("fromPeers") for viewer in viewers])
        return fragments not in (before, "") and shared_bytes > moved_bytes

    try:
        await wait_until(arrived, MOVE_TIMEOUT_S, "they share on in the other home")
        result.cell += f"; moves, shares on {time.monotonic() - begun_s:.1f} s later"
    except NeverTrue as error:
        result.problems.append(str(error))
    connections = [await viewer.page.evaluate("() => natSpy.connections()") for viewer in viewers]
    if connections != [1, 1]:
        result.problems.append(f"{connections} connections were made")
    result.candidates += [await viewer.page.evaluate("() => natSpy.ways()") for viewer in viewers]
    result.stalls = [(await viewer.status()).stalls for viewer in viewers]


async def _wait_for_nats(viewers: Sequence[Viewer]) -> None:
    """Give both time to tell of their NATs. Where the tracker knows the line already, neither may come to it."""

    async def told() -> bool:
        return all([await viewer.page.evaluate("() => natSpy.mapping !== null") for viewer in viewers])

    with contextlib.suppress(NeverTrue):
        await wait_until(told, NAT_TIMEOUT_S, "both tell of their NATs")


async def _have_shared(viewers: Sequence[Viewer]) -> bool:
    return sum([(await viewer.status()).bytes("fromPeers") for viewer in viewers]) > SHARED_BYTES


def attempts(url: str) -> dict[str, float]:
    """Return what the tracker at `url` counted of members' attempts, by its metric's labels."""
    text = httpx.get(f"{url}/metrics", timeout=5, trust_env=False).text
    lines = [line for line in text.splitlines() if line.startswith("peerpool_attempts_total{")]
    return {line.partition("{")[2].partition("}")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def run_cells(hosts: Mapping[str, Sequence[Host]], cells: Sequence[Cell], out: Path) -> list[Result]:
    """Run all, one after the other."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder, Server(out.parent / "server") as server:
        async with async_playwright() as playwright, over_ipv6(server):
            homes = Homes(playwright, hosts, Path(folder))
            for cell in cells:
                results.append(await run_cell(server, homes, cell))
                print(row(results[-1]), flush=True)
                _write(out, results)
            await homes.close()
        for url in (server.bed.tracker.url, server.turn_tracker.url):
            print(f"attempts counted by a tracker: {attempts(url)}", flush=True)
    return results


def _write(out: Path, results: Sequence[Result]) -> None:
    out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def row(result: Result) -> str:
    """Return one line of the table, in Markdown."""
    set_up = "" if result.set_up_s is None else f"{result.set_up_s:.1f} s"
    ways = "; ".join(filter(None, result.candidates)) or "none"
    moved = f"{(result.peer_bytes) / 1e6:.1f} MB"
    verdict = "as theory says" if result.holds else f"NOT: {result.expected} expected; {result.problems}"
    return f"| {result.cell} | {result.outcome} | {ways} | {set_up} | {moved} | {result.stalls} | {verdict} |"


def main() -> None:
    """Entry point in the server's namespace: JSON of hosts, JSON of cells, path of the results."""
    given_hosts, given_cells, out = sys.argv[1:]
    hosts = {key: [Host(**host) for host in ones] for key, ones in json.loads(given_hosts).items()}
    cells = [Cell(**cell) for cell in json.loads(given_cells)]
    results = asyncio.run(run_cells(hosts, cells, Path(out)))
    sys.exit(0 if all(result.holds for result in results) else 1)


if __name__ == "__main__":
    main()
