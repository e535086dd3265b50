"""A router's NAT of UDP as a process in its namespace: datagrams come and go by a TUN device, changed by `Translator`.

`python -m e2e.nat.router --public 45.1.1.1 --inside 10.1.0.0/24 --kind symmetric --tun nat0`; the routes that bring
datagrams here are the topology's. It says `ready` when it translates.
"""

from __future__ import annotations

import argparse
import fcntl
import ipaddress
import os
import random
import signal
import struct
import sys
import time
from typing import Final

from e2e.nat.translator import BEHAVIOURS, Endpoint, Translator

# linux/if_tun.h
TUNSETIFF: Final = 0x400454CA
IFF_TUN: Final = 0x0001
IFF_NO_PI: Final = 0x1000
UDP: Final = 17
FRAME_MAX: Final = 65_535
_ADDRESSES: Final = struct.Struct("!4s4s")
_PORTS: Final = struct.Struct("!HH")


def open_tun(name: str) -> int:
    """Attach to a TUN device that exists, and return its descriptor. Raises OSError."""
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def ends(packet: bytes) -> tuple[Endpoint, Endpoint] | None:
    """Return source and destination of a whole UDP datagram over IPv4; None of anything else."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != UDP:
        return None
    if struct.unpack_from("!H", packet, 6)[0] & 0x3FFF:  # a fragment: nothing here sends any (RFC 8831, section 5)
        return None
    source, destination = _ADDRESSES.unpack_from(packet, 12)
    ports = _PORTS.unpack_from(packet, (packet[0] & 15) * 4)
    return (str(ipaddress.IPv4Address(source)), ports[0]), (str(ipaddress.IPv4Address(destination)), ports[1])


def with_ends(packet: bytes, source: Endpoint, destination: Endpoint) -> bytes:
    """Return the datagram with other ends; without UDP's checksum, which IPv4 allows (RFC 768)."""
    changed = bytearray(packet)
    head = (packet[0] & 15) * 4
    _ADDRESSES.pack_into(
        changed, 12, ipaddress.IPv4Address(source[0]).packed, ipaddress.IPv4Address(destination[0]).packed
    )
    _PORTS.pack_into(changed, head, source[1], destination[1])
    changed[head + 6 : head + 8] = b"\0\0"
    changed[10:12] = b"\0\0"
    total = sum(struct.unpack_from(f"!{head // 2}H", changed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", changed, 10, ~total & 0xFFFF)
    return bytes(changed)


def translated(translator: Translator, inside: ipaddress.IPv4Network, packet: bytes, now: float) -> bytes | None:
    """Return what becomes of a packet; None where it is dropped."""
    found = ends(packet)
    if found is None:
        return None
    source, destination = found
    if ipaddress.IPv4Address(source[0]) in inside:
        if destination[0] == translator.public:
            pair = translator.hairpin(source, destination, now)
            return None if pair is None else with_ends(packet, *pair)
        return with_ends(packet, translator.outbound(source, destination, now), destination)
    if destination[0] != translator.public:
        return None
    to = translator.inbound(source, destination[1], now)
    return None if to is None else with_ends(packet, source, to)


def main() -> None:
    """Translate until SIGTERM."""
    parser = argparse.ArgumentParser(description="A NAT of UDP")
    parser.add_argument("--public", required=True)
    parser.add_argument("--inside", type=ipaddress.IPv4Network, required=True)
    parser.add_argument("--kind", choices=sorted(BEHAVIOURS), required=True)
    parser.add_argument("--tun", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    tun = open_tun(options.tun)
    translator = Translator(BEHAVIOURS[options.kind], options.public, random.Random(options.public))
    print("ready", flush=True)
    while True:
        packet = translated(translator, options.inside, os.read(tun, FRAME_MAX), time.monotonic())
        if packet is not None:
            os.write(tun, packet)


if __name__ == "__main__":
    main()
