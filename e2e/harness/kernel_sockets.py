"""The sockets that a browser's processes have, as the kernel lists them: needs Linux, and no privilege.

What a page's own spies cannot see is here too: whatever the browser itself opens, whichever API asked for it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, NamedTuple

from e2e.harness.browsers import BrowserName

PROC: Final = Path("/proc")
# How often the lists are read (seconds). A look takes some milliseconds; WebRTC's sockets live for seconds.
LOOK_EVERY_S: Final = 0.1
# What the first process is called, by the kernel: 15 characters at most.
NAMES: Final[Mapping[BrowserName, tuple[str, ...]]] = {
    "chromium": ("chromium", "chromium-browse", "chrome"),
    "firefox": ("firefox", "firefox-esr", "firefox-bin"),
}
LISTENING: Final = "0A"  # TCP_LISTEN, include/net/tcp_states.h


class KernelSocket(NamedTuple):
    """One line of /proc/net: addresses are text with a port; a `remote` of port 0 is nobody."""

    protocol: str  # "tcp" or "udp"
    local: str
    remote: str
    is_listening: bool = False


def processes_of(browser: BrowserName) -> set[int]:
    """Return the processes of a browser that this process has started, and all below them."""
    parents: dict[int, int] = {}
    roots: set[int] = set()
    for folder in PROC.iterdir():
        with contextlib.suppress(OSError, ValueError):  # ended meanwhile, or no process
            pid = int(folder.name)
            head, _, fields = (folder / "stat").read_text().rpartition(")")  # proc(5): pid (name) state ppid ...
            parents[pid] = int(fields.split()[1])
            if head.partition("(")[2] in NAMES[browser]:
                roots.add(pid)

    def below(pid: int, tops: set[int]) -> bool:
        while pid not in tops and pid in parents:
            pid = parents[pid]
        return pid in tops

    own = {pid for pid in roots if below(pid, {os.getpid()})}
    return {pid for pid in parents if below(pid, own)}


def sockets_of(processes: set[int]) -> set[KernelSocket]:
    """Return the TCP and UDP sockets that these processes have open."""
    inodes: set[str] = set()
    for pid in processes:
        with contextlib.suppress(OSError):
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(str(descriptor.readlink()))
    return {found for inode, found in _listed() if f"socket:[{inode}]" in inodes}


def _listed() -> Iterator[tuple[str, KernelSocket]]:
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in (PROC / "net" / name).read_text().splitlines()[1:]:
            fields = line.split()
            protocol = name[:3]
            is_listening = protocol == "tcp" and fields[3] == LISTENING
            yield fields[9], KernelSocket(protocol, _address(fields[1]), _address(fields[2]), is_listening)


def _address(text: str) -> str:
    """Return `0100007F:1F90` as 127.0.0.1:8080: words of four bytes, each in this machine's order."""
    digits, _, port = text.partition(":")
    words = [bytes.fromhex(digits[at : at + 8])[::-1] for at in range(0, len(digits), 8)]
    packed = b"".join(words)
    address = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return f"{mapped or address}:{int(port, 16)}"


class SocketWatch:
    """Whatever sockets a browser was seen to have that it had not when this began."""

    def __init__(self, browser: BrowserName) -> None:
        self._browser = browser
        self._before = sockets_of(processes_of(browser))
        self._seen: set[KernelSocket] = set()
        self._ended = threading.Event()

    def now(self) -> set[KernelSocket]:
        """Look, and return what there is at this moment."""
        found = sockets_of(processes_of(self._browser)) - self._before
        self._seen |= found
        return found

    def seen(self) -> set[KernelSocket]:
        """Return all that was ever seen."""
        self.now()
        return set(self._seen)

    def run(self) -> None:
        """Look again and again, until it is ended."""
        while not self._ended.wait(LOOK_EVERY_S):
            self.now()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


@contextmanager
def watching(browser: BrowserName) -> Iterator[SocketWatch]:
    """Watch the sockets of a running browser for as long as the block runs."""
    if not processes_of(browser):
        raise RuntimeError(f"no process of {browser} is running: start it first (Browsers.get)")
    watch = SocketWatch(browser)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()
