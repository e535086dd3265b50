"""An Internet of network namespaces: a bridge that everybody is on, a server, and homes with a router and hosts.

All names begin with `pp-`, and whatever is left of an earlier run is removed first. Needs root, Linux, iproute2 and
iptables. Public addresses are of 45.0.0.0/8 and 2a0f:4500::/32, which nothing here leads to.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from e2e.harness.child import REPOSITORY
from e2e.nat.translator import BEHAVIOURS

Kind = Literal[
    "open", "full cone", "address-restricted", "port-restricted", "symmetric", "UDP blocked", "only TCP 443",
    "double NAT", "IPv6 only", "dual stack", "two homes",
]  # fmt: skip

PREFIX: Final = "pp-"
NET, SERVER = f"{PREFIX}net", f"{PREFIX}server"
# The server's addresses, by what is there: trackers and STUN in pairs, so that a NAT shows how it maps.
TRACKER, STUN, ORIGIN, TURN = "45.0.0.1", "45.0.0.2", "45.0.0.3", "45.0.0.4"
TURN_TRACKER, TURN_STUN, LAB_STUN, OTHER_LAB_STUN = "45.0.0.5", "45.0.0.6", "45.0.0.7", "45.0.0.8"
SERVER_ADDRESSES: Final = (TRACKER, STUN, ORIGIN, TURN, TURN_TRACKER, TURN_STUN, LAB_STUN, OTHER_LAB_STUN)
SERVER_IPV6, TURN_TRACKER_IPV6 = "2a0f:4500::1", "2a0f:4500::2"
# Through these all UDP goes to the NAT's process, also what is for the router's own public address.
UDP_TABLE: Final = "100"


class Unavailable(Exception):
    """This machine cannot have the laboratory."""


@dataclass(frozen=True)
class Host:
    """A namespace that a viewer can be in."""

    namespace: str
    kind: Kind
    # Of the home that it can go to.
    other_gateways: list[str] = field(default_factory=list)


def run(*command: str) -> str:
    """Run a program to its end and return what it printed. Raises CalledProcessError with its errors in the text."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr.strip())
    return done.stdout


def inside(namespace: str, *command: str) -> str:
    """Run a program in a namespace."""
    return run("ip", "netns", "exec", namespace, *command)


def check_available() -> None:
    """Raise Unavailable where namespaces, TUN or iptables cannot be had."""
    name = f"{PREFIX}try"
    try:
        remove_all()
        run("ip", "netns", "add", name)
        inside(name, "ip", "tuntap", "add", "dev", "nat0", "mode", "tun")
        inside(name, "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "lo", "-j", "MASQUERADE")
    except FileNotFoundError as error:
        raise Unavailable(f"not installed: {error.filename} (apt-get install iproute2 iptables)") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"needs root and Linux: {error.cmd} says {error.stderr}") from None
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def remove_all() -> None:
    """Remove every namespace of the laboratory, with the processes in them."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX):
            for pid in run("ip", "netns", "pids", name).split():
                subprocess.run(["kill", "-9", pid], capture_output=True, check=False)
            run("ip", "netns", "delete", name)


def move(host: Host) -> None:
    """Take a host from its home to its other one, as a phone goes from Wi-Fi to a mobile network."""
    run("ip", "-n", host.namespace, "link", "set", "eth0", "down")
    run("ip", "-n", host.namespace, "link", "set", "eth1", "up")
    run("ip", "-n", host.namespace, "route", "replace", "default", "via", host.other_gateways[0])


class Laboratory:
    """The namespaces, for as long as the block runs."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._numbers = itertools.count(1)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        remove_all()
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            _namespace(NET)
            run("ip", "-n", NET, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", NET, "link", "set", "br0", "up")
            _namespace(SERVER)
            self._join(SERVER, "eth0", NET, "br0", [f"{address}/8" for address in SERVER_ADDRESSES])
            for address in (SERVER_IPV6, TURN_TRACKER_IPV6):
                run("ip", "-n", SERVER, "addr", "add", f"{address}/32", "dev", "eth0", "nodad")
            _set(SERVER, "net/ipv4/conf/eth0/route_localnet", "1")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the routers and remove everything."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        remove_all()

    def start(self, namespace: str, name: str, command: Sequence[str], ready: str = "ready") -> None:
        """Start a process in a namespace and wait until its log says so."""
        log = self._logs / f"{name}.log"
        log.unlink(missing_ok=True)
        with log.open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", namespace, *command], stdout=output, stderr=output, cwd=REPOSITORY
                )
            )
        until = time.monotonic() + 10
        while ready not in log.read_text(errors="replace"):
            if time.monotonic() > until or self._processes[-1].poll() is not None:
                raise Unavailable(f"{name} did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def hosts(self, kind: Kind, count: int = 1) -> list[Host]:
        """Make a home of this kind with so many hosts in it."""
        number = next(self._numbers)
        if kind == "open":
            return [self._public_host(number, kind, [f"45.2.{number}.{index + 1}/8"]) for index in range(count)]
        if kind == "IPv6 only":
            return [self._public_host(number, kind, [], ipv6=index + 1) for index in range(count)]
        outer = self._router(number, NET, "br0", f"45.1.{number}.1/8", kind)
        if kind == "double NAT":
            inner = next(self._numbers)
            outer = self._router(inner, outer, "lan", f"10.{number}.0.2/24", "port-restricted", via=f"10.{number}.0.1")
            number = inner
        hosts = [self._home_host(number, outer, index, kind) for index in range(count)]
        if kind == "two homes":
            other = next(self._numbers)
            router = self._router(other, NET, "br0", f"45.1.{other}.1/8", "port-restricted")
            for index, host in enumerate(hosts):
                self._join(host.namespace, "eth1", router, "lan", [f"10.{other}.0.{index + 2}/24"])
                run("ip", "-n", host.namespace, "link", "set", "eth1", "down")
                host.other_gateways.append(f"10.{other}.0.1")
        if kind == "dual stack":
            for index, host in enumerate(hosts):
                self._join(host.namespace, "eth1", NET, "br0", [], ipv6=f"2a0f:4500:{number:x}::{index + 1}/32")
        return hosts

    def _public_host(self, number: int, kind: Kind, addresses: list[str], ipv6: int = 0) -> Host:
        name = f"{PREFIX}h{number}-{next(self._numbers)}"
        _namespace(name)
        self._join(name, "eth0", NET, "br0", addresses, ipv6=f"2a0f:4500:{number:x}::{ipv6}/32" if ipv6 else "")
        return Host(name, kind)

    def _home_host(self, number: int, router: str, index: int, kind: Kind) -> Host:
        name = f"{PREFIX}h{number}-{index}"
        _namespace(name)
        self._join(name, "eth0", router, "lan", [f"10.{number}.0.{index + 2}/24"])
        run("ip", "-n", name, "route", "add", "default", "via", f"10.{number}.0.1")
        return Host(name, kind)

    def _router(self, number: int, net: str, bridge: str, public: str, kind: Kind, *, via: str = "") -> str:
        """Make a router with a bridge called `lan`, whose NAT of TCP is the kernel's, and of UDP a process."""
        name, address = f"{PREFIX}r{number}", public.partition("/")[0]
        _namespace(name)
        self._join(name, "wan", net, bridge, [public])
        if via:
            run("ip", "-n", name, "route", "add", "default", "via", via)
        run("ip", "-n", name, "link", "add", "lan", "type", "bridge")
        run("ip", "-n", name, "addr", "add", f"10.{number}.0.1/24", "dev", "lan")
        run("ip", "-n", name, "link", "set", "lan", "up")
        _set(name, "net/ipv4/ip_forward", "1")
        inside(name, "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-p", "tcp", "-j", "MASQUERADE")
        if kind in ("UDP blocked", "only TCP 443"):
            allowed = ["-p", "tcp", *(["--dport", "443"] if kind == "only TCP 443" else [])]
            inside(name, "iptables", "-A", "FORWARD", "-i", "lan", "-o", "wan", *allowed, "-j", "ACCEPT")
            inside(name, "iptables", "-A", "FORWARD", "-i", "lan", "-o", "wan", "-j", "DROP")
        else:
            self._translate(name, number, address, kind)
        return name

    def _translate(self, name: str, number: int, address: str, kind: Kind) -> None:
        run("ip", "-n", name, "tuntap", "add", "dev", "nat0", "mode", "tun")
        run("ip", "-n", name, "link", "set", "nat0", "up")
        for interface in ("all", "nat0"):
            _set(name, f"net/ipv4/conf/{interface}/rp_filter", "0")
        _set(name, "net/ipv4/conf/nat0/accept_local", "1")  # what is translated has an address of the router's
        # What comes to the public address is not the router's own: the table of its addresses is asked later.
        run("ip", "-n", name, "rule", "add", "pref", "50", "lookup", "local")
        run("ip", "-n", name, "rule", "del", "pref", "0")
        for interface in ("wan", "lan"):
            run("ip", "-n", name, "rule", "add", "pref", "10", "iif", interface, "ipproto", "udp", "lookup", UDP_TABLE)
        run("ip", "-n", name, "route", "add", "default", "dev", "nat0", "table", UDP_TABLE)
        behaviour = kind if kind in BEHAVIOURS else "port-restricted"
        command = [sys.executable, "-m", "e2e.nat.router", "--public", address, "--inside", f"10.{number}.0.0/24"]
        self.start(name, f"router-{number}", [*command, "--kind", behaviour, "--tun", "nat0"])

    def _join(
        self, namespace: str, interface: str, net: str, bridge: str, addresses: list[str], *, ipv6: str = ""
    ) -> None:
        """Connect a namespace to a bridge in another one."""
        number = next(self._numbers)
        here, there = f"ppa{number}", f"ppb{number}"
        run("ip", "link", "add", here, "type", "veth", "peer", "name", there)
        run("ip", "link", "set", there, "netns", net)
        run("ip", "-n", net, "link", "set", there, "master", bridge, "up")
        run("ip", "link", "set", here, "netns", namespace)
        run("ip", "-n", namespace, "link", "set", here, "name", interface)
        for address in addresses:
            run("ip", "-n", namespace, "addr", "add", address, "dev", interface)
        if ipv6:
            run("ip", "-n", namespace, "addr", "add", ipv6, "dev", interface, "nodad")
        run("ip", "-n", namespace, "link", "set", interface, "up")


def _namespace(name: str) -> None:
    run("ip", "netns", "add", name)
    run("ip", "-n", name, "link", "set", "lo", "up")


def _set(namespace: str, path: str, value: str) -> None:
    inside(namespace, "sh", "-c", f"echo {value} > /proc/sys/{path}")
