"""What `peerpool ice check` says: findings, what errors of STUN and TURN come from, and what to do. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Final, NamedTuple

from aioice import stun

from peerpool.core.ice import ServerUrl
from peerpool.protocols.stun import Endpoint

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
# What TURN's error codes come from (RFC 8656, section 19), in coturn's words.
ADVICE: Final = {
    UNAUTHORIZED: "the secret here and `static-auth-secret` there differ, `use-auth-secret` is not set there, or its"
    " clock is wrong (`date -u` on both)",
    FORBIDDEN: "it refuses the peer: see `denied-peer-ip` and `allowed-peer-ip`",
    420: "it does not know what browsers ask for: is it a TURN server?",
    437: "it mistakes this for an old allocation: try again in a minute",
    438: "it takes no nonce for long enough: see `stale-nonce`",
    441: "the allocation is another user's: try again in a minute",
    442: "it does not relay UDP: remove `no-udp-relay`",
    486: "too many allocations: see `user-quota` and `total-quota`",
    508: "it has no relay ports left: widen `min-port` and `max-port`, or see `relay-ip`",
}


class Finding(NamedTuple):
    """What was found, and what to do where it is not as it should be. `title` begins a part of the report."""

    text: str
    advice: str = ""
    is_title: bool = False

    def lines(self) -> list[str]:
        """Return it as it is printed."""
        if self.is_title:
            return [self.text]
        if not self.advice:
            return [f"  ok     {self.text}"]
        return [f"  WRONG  {self.text}", f"         {self.advice}"]


def mapping_text(local: Endpoint, seen: Sequence[Endpoint]) -> str:
    """Say how the NAT before this machine maps the socket `local`, which servers have `seen` so."""
    if all(one == local for one in seen):
        return "mapping: none, there is no NAT in between"
    if len(set(seen)) > 1:
        return "mapping: dependent on the destination; a viewer here would often need TURN"
    if len(seen) == 1:
        return "mapping: there is a NAT in between; a second port would tell of what kind"
    return "mapping: independent of the destination; a viewer here connects to most others"


def explain_stun(name: str, error: Exception) -> Finding:
    """Say what an error of a STUN server comes from."""
    if isinstance(error, stun.TransactionTimeout):
        return Finding(
            f"{name} does not answer",
            "is the tracker running, and is this port of UDP open in every firewall before it (in the cloud's too)?",
        )
    return Finding(f"{name} does not answer as STUN does: {error}", "something else listens there: try another port")


def explain(error: stun.TransactionError | OSError, url: ServerUrl) -> Finding:
    """Say what an error of a TURN server comes from."""
    match error:
        case stun.TransactionFailed():
            found = refusal(error), ADVICE.get(error.response.error_code or 0, "its log says why (`verbose`)")
        case stun.TransactionTimeout() | TimeoutError():
            kind = "UDP" if url.transport == "udp" else "TCP"
            firewalls = "open in every firewall before it (in the cloud's too)"
            found = "it does not answer", f"is it running, and is port {url.port} of {kind} {firewalls}?"
        case ssl.SSLCertVerificationError():
            chain = f"set `cert`, with all between it and the root, and `pkey` to one of {url.host}; renew it in time"
            found = f"browsers do not take its certificate: {error.verify_message}", chain
        case ssl.SSLError() | ConnectionResetError() | ConnectionAbortedError() if url.transport == "tls":
            found = "it does not speak TLS there", "set `tls-listening-port`, `cert` and `pkey`, or name it turn:"
        case ConnectionRefusedError():
            found = "nothing listens there", "is it running, and on this port (`listening-port`)?"
        case socket.gaierror():
            found = f"{url.host}: {error.strerror}", "is the name right, and in the DNS?"
        case _:
            found = f"it cannot be reached: {error}", "is it running, and does a firewall end its connections?"
    return Finding(*found)


def refusal(error: stun.TransactionFailed) -> str:
    """Return the code and the words with which a server refuses."""
    code, reason = error.response.attributes.get("ERROR-CODE", (0, "without a code"))
    return f"it refuses: {code} {reason}"


def shown(endpoint: Endpoint) -> str:
    """Return an address and port as people write them."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
