"""The native protocol's frames: one JSON object a text frame, subprotocol `peerpool.1`."""

from __future__ import annotations

from typing import Final

import msgspec

from peerpool.core import constants as c
from peerpool.core.errors import BadFrame, HostileFrame
from peerpool.core.messages import ClientMessage, OfferFrom, TrackerFrame

SUBPROTOCOL: Final = c.PROTOCOL

_decoder: Final[msgspec.json.Decoder[ClientMessage]] = msgspec.json.Decoder(ClientMessage)
_encoder: Final = msgspec.json.Encoder()


def decode(frame: str) -> ClientMessage:
    """Return the message in a text frame. Raises BadFrame, or HostileFrame when it is over-long."""
    # A code point is at least one byte, so most frames are measured without encoding them.
    if len(frame) > c.MAX_SIGNAL_FRAME_BYTES or (
        not frame.isascii() and len(frame.encode(errors="surrogatepass")) > c.MAX_SIGNAL_FRAME_BYTES
    ):
        raise HostileFrame(f"a frame above {c.MAX_SIGNAL_FRAME_BYTES} bytes", c.CLOSE_TOO_BIG)
    try:
        return _decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise BadFrame(str(error)) from None
    except (RecursionError, UnicodeError):
        raise BadFrame("nested too deeply, or not Unicode") from None


def encode(message: TrackerFrame) -> bytes:
    """Return the text frame of `message`, in UTF-8."""
    return _encoder.encode(message)


def is_droppable(message: object) -> bool:
    """Whether a slow reader can do without `message`: an offer to it is one neighbour less, and it has others."""
    return isinstance(message, OfferFrom)
