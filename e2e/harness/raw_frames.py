"""WebSocket frames by hand (RFC 6455), for clients that do what no library would."""

from __future__ import annotations

from typing import Final

HANDSHAKE: Final = (
    "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: peerpool.1\r\n\r\n"
)


def masked(payload: bytes, opcode: int = 1, fin: bool = True, claimed: int | None = None) -> bytes:
    """Return a client's frame; `claimed` is a length that need not be true."""
    length = len(payload) if claimed is None else claimed
    head = bytes([(0x80 if fin else 0) | opcode])
    if length < 126:
        head += bytes([0x80 | length])
    elif length < 1 << 16:
        head += bytes([0x80 | 126]) + length.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + length.to_bytes(8, "big")
    return head + bytes(4) + payload  # a mask of zeros changes nothing
