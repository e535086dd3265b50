"""STUN of two addresses that answers from where it is asked to (RFC 5780); what a host finds out by it of its NAT.

`python -m e2e.nat.stun_lab serve A1 A2` answers, `... probe A1 A2 [SOURCE]` prints mapping and filtering as JSON. In
the laboratory only: a public server that honours CHANGE-REQUEST sends datagrams to whom nobody asked (docs/nat.md).
"""

from __future__ import annotations

import json
import select
import socket
import sys
from typing import Final

from aioice import stun

PORT: Final = 3478
ALTERNATE_PORT: Final = 3479
CHANGE_ADDRESS: Final = 4
CHANGE_PORT: Final = 2
# Nothing is lost in the laboratory but what is filtered.
PATIENCE_S: Final = 0.4
Sockets = dict[tuple[str, int], socket.socket]


def serve(addresses: list[str]) -> None:
    """Answer at two ports of two addresses, for ever."""
    sockets: Sockets = {}
    for address in addresses:
        for port in (PORT, ALTERNATE_PORT):
            one = sockets[address, port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((address, port))
    print("ready", flush=True)
    while True:
        for one in select.select(list(sockets.values()), [], [])[0]:
            datagram, source = one.recvfrom(1500)
            request = stun.parse_message(datagram)
            change = request.attributes.get("CHANGE-REQUEST", 0)
            address, port = one.getsockname()
            if change & CHANGE_ADDRESS:
                address = next(other for other in addresses if other != address)
            if change & CHANGE_PORT:
                port = PORT + ALTERNATE_PORT - port
            reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
            reply.attributes["XOR-MAPPED-ADDRESS"] = source
            sockets[address, port].sendto(bytes(reply), source)


def ask(one: socket.socket, server: tuple[str, int], change: int = 0) -> tuple[str, int] | None:
    """Return what the server sees of a socket; None where no answer comes, from wherever it is sent."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    if change:
        request.attributes["CHANGE-REQUEST"] = change
    one.sendto(bytes(request), server)
    while select.select([one], [], [], PATIENCE_S)[0]:
        reply = stun.parse_message(one.recv(1500))
        if reply.transaction_id == request.transaction_id:
            mapped: tuple[str, int] = reply.attributes["XOR-MAPPED-ADDRESS"]
            return mapped
    return None


def probe(first: str, second: str, own: str = "0.0.0.0") -> dict[str, str]:
    """Find out how what is between maps and filters (RFC 5780, sections 4.3 and 4.4)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((own, 0))
        seen = ask(one, (first, PORT))
        if seen is None:
            return {"mapping": "blocked", "filtering": "blocked"}
        # Before anything is sent to the others, which would let their answers in.
        if ask(one, (first, PORT), CHANGE_ADDRESS | CHANGE_PORT):
            filtering = "endpoint-independent"
        else:
            is_let_in = ask(one, (first, PORT), CHANGE_PORT)
            filtering = "address-dependent" if is_let_in else "address- and port-dependent"
        elsewhere, other_port = ask(one, (second, PORT)), ask(one, (second, ALTERNATE_PORT))
        if seen == elsewhere:
            mapping = "none" if seen == one.getsockname() else "endpoint-independent"
        else:
            mapping = "address-dependent" if elsewhere == other_port else "address- and port-dependent"
        return {"mapping": mapping, "filtering": filtering}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *addresses]:
            serve(addresses)
        case ["probe", first, second, *own]:
            print(json.dumps(probe(first, second, *own)))
