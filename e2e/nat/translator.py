"""What a NAT does with UDP, as RFC 4787 names it: mapping (section 4.1), filtering (5), hairpinning (6). Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

Endpoint = tuple[str, int]

# RFC 4787, section 4.3: not less than two minutes.
MAPPING_TIMEOUT_S: Final = 120.0
# Ephemeral ports (RFC 6335, section 6), so that none is one of the router's own.
PORTS: Final = range(49_152, 65_536)
MAPPINGS_MAX: Final = 4_096


class Dependence(Enum):
    """On what of the other side a behaviour depends."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS = "address-dependent"
    ADDRESS_AND_PORT = "address- and port-dependent"

    def part(self, endpoint: Endpoint) -> tuple[str | int, ...]:
        """Return what counts of `endpoint`."""
        return endpoint[: {"endpoint-independent": 0, "address-dependent": 1}.get(self.value, 2)]


@dataclass(frozen=True)
class Behaviour:
    """A kind of NAT."""

    mapping: Dependence
    filtering: Dependence


@dataclass
class Mapping:
    """A public port, whose it is, and whom it was used to send to."""

    inside: Endpoint
    port: int
    used_at: float
    sent: set[Endpoint] = field(default_factory=set)


class Translator:
    """One public address. `now` is in seconds, monotonic; ports are drawn by `rng`, as from a NAT that guards them."""

    def __init__(self, behaviour: Behaviour, public: str, rng: random.Random, *, hairpins: bool = True) -> None:
        self.public = public
        self._behaviour = behaviour
        self._rng = rng
        self._hairpins = hairpins
        self._by_inside: dict[tuple[Endpoint, tuple[str | int, ...]], Mapping] = {}
        self._by_port: dict[int, Mapping] = {}

    def __len__(self) -> int:
        """Return how many mappings there are."""
        return len(self._by_port)

    def outbound(self, source: Endpoint, destination: Endpoint, now: float) -> Endpoint:
        """Return the source that a datagram from inside has outside."""
        key = (source, self._behaviour.mapping.part(destination))
        mapping = self._by_inside.get(key)
        if mapping is None or now >= mapping.used_at + MAPPING_TIMEOUT_S:
            self._expire(now)
            mapping = Mapping(source, self._free_port(), now)
            self._by_inside[key] = self._by_port[mapping.port] = mapping
        mapping.used_at = now
        mapping.sent.add(destination)
        return self.public, mapping.port

    def inbound(self, source: Endpoint, port: int, now: float) -> Endpoint | None:
        """Return to whom inside a datagram from `source` to a public port goes; None where it is not let in."""
        mapping = self._by_port.get(port)
        if mapping is None or now >= mapping.used_at + MAPPING_TIMEOUT_S:
            return None
        part = self._behaviour.filtering.part
        return mapping.inside if any(part(sent) == part(source) for sent in mapping.sent) else None

    def hairpin(self, source: Endpoint, destination: Endpoint, now: float) -> tuple[Endpoint, Endpoint] | None:
        """Return source and destination of a datagram from inside to the public address; None where it is dropped."""
        if not self._hairpins:
            return None
        outside = self.outbound(source, destination, now)
        inside = self.inbound(outside, destination[1], now)
        return None if inside is None else (outside, inside)

    def _free_port(self) -> int:
        while True:
            port = self._rng.choice(PORTS)
            if port not in self._by_port:
                return port

    def _expire(self, now: float) -> None:
        """Forget what was not used for too long; all where there are too many, as of a NAT that restarts."""
        if len(self._by_port) >= MAPPINGS_MAX:
            now = float("inf")
        for key, mapping in list(self._by_inside.items()):
            if now >= mapping.used_at + MAPPING_TIMEOUT_S:
                del self._by_inside[key]
                self._by_port.pop(mapping.port, None)


OPEN_FILTER: Final = Dependence.ENDPOINT_INDEPENDENT
FULL_CONE: Final = Behaviour(Dependence.ENDPOINT_INDEPENDENT, OPEN_FILTER)
ADDRESS_RESTRICTED: Final = Behaviour(Dependence.ENDPOINT_INDEPENDENT, Dependence.ADDRESS)
PORT_RESTRICTED: Final = Behaviour(Dependence.ENDPOINT_INDEPENDENT, Dependence.ADDRESS_AND_PORT)
SYMMETRIC: Final = Behaviour(Dependence.ADDRESS_AND_PORT, Dependence.ADDRESS_AND_PORT)
Kind = Literal["full cone", "address-restricted", "port-restricted", "symmetric"]
BEHAVIOURS: Final[dict[Kind, Behaviour]] = {
    "full cone": FULL_CONE,
    "address-restricted": ADDRESS_RESTRICTED,
    "port-restricted": PORT_RESTRICTED,
    "symmetric": SYMMETRIC,
}
