"""Errors, split by whose fault they are.

    PeerPoolError
    |-- TheirError                 the other side broke a rule: answered on its socket, never logged as our failure
    |   |-- BadFrame               cannot be parsed, or breaks the schema       (counted: too many close the socket)
    |   |   `-- TooBig             larger than it may be
    |   |-- HostileFrame           closes the socket at once, with `close_code`
    |   |-- NotJoined              needs membership first
    |   |-- RateLimited            `retry_after_ms` says when to go on        (counted: too many close the socket)
    |   |   `-- Crowded            too much of one address or swarm together  (counted, with far more patience)
    |   |-- Full                   no room for another member
    |   |-- Unauthorized           closes the socket: the token is not good
    |   |-- Off                    closes the socket: sharing is switched off for this viewer
    |   |   `-- Banned             neighbours say that it, or somebody on its line, sent wrong bytes
    |   |-- Malformed              bytes that are no signed record, text that is no playlist we follow
    |   `-- FetchFailed            an origin that the tracker reads from does not answer as it should
    |       `-- FetchRefused       ... or is not to be read by our rules
    `-- OurError                   this installation is wrong: the operator reads it, with what to do
        |-- ConfigError            a setting is unknown or out of bounds
        |-- ListenError            the address is in use or not ours
        |-- BundleError            the browser library is missing or cannot be built
        |-- KeyFileError           a signing key cannot be read, made or trusted to be secret
        |-- SignError              a folder cannot be signed
        `-- TrackerCheckError      the tracker that pages are to load from is not there, or has another build

Each TheirError knows its `code` on the wire (docs/wire-protocol.md, section 2).
"""

from __future__ import annotations

from typing import ClassVar

from peerpool.core import constants as c


class PeerPoolError(Exception):
    """Base of every error this package raises on purpose."""


class TheirError(PeerPoolError):
    """The other side broke a rule; `str()` is what it is told."""

    code: ClassVar[str] = c.ERROR_BAD_FRAME


class BadFrame(TheirError):
    """A frame that is not JSON, not of a known type, or has a field out of bounds."""


class TooBig(BadFrame):
    """A field or list larger than it may be."""

    code = c.ERROR_TOO_BIG


class HostileFrame(TheirError):
    """A frame no honest client sends: the socket is closed with `close_code`."""

    def __init__(self, message: str, close_code: int) -> None:
        super().__init__(message)
        self.close_code = close_code


class NotJoined(TheirError):
    """A message that only a member may send."""

    code = c.ERROR_NOT_JOINED


class RateLimited(TheirError):
    """Too many messages; `retry_after_ms` is when the next one will be taken."""

    code = c.ERROR_RATE_LIMITED

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(f"too many messages: wait {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Crowded(RateLimited):
    """Too many messages of this address or swarm together: not this socket's own fault."""


class Full(TheirError):
    """The swarm, the tracker or the socket has no room for another member."""

    code = c.ERROR_FULL


class Unauthorized(TheirError):
    """The token is missing or not good for this content."""

    code = c.ERROR_UNAUTHORIZED


class Malformed(TheirError):
    """Bytes that are no signed record (ADR 12), or text that is no playlist we follow; the text says why."""


class FetchFailed(TheirError):
    """An origin does not answer, not in time, or not with what was asked for; the text says which."""


class FetchRefused(FetchFailed):
    """A URL, address or redirect that a stream may not be read from, or a body it may not have: no use to retry."""


class Off(TheirError):
    """Sharing is switched off for this viewer; `retry_after_ms`, if any, is when it may ask again."""

    code = c.ERROR_OFF

    def __init__(self, message: str, retry_after_ms: int | None) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class Banned(Off):
    """Its neighbours have accused it, or others on its line."""

    code = c.ERROR_BANNED


class OurError(PeerPoolError):
    """Something of this installation is wrong; the text says what to do."""


class ConfigError(OurError):
    """A setting is unknown, of the wrong type or out of bounds."""


class ListenError(OurError):
    """The server cannot listen where it should."""


class BundleError(OurError):
    """The browser library is missing, cannot be built or is above its budget."""


class KeyFileError(OurError):
    """A signing key cannot be read or made, or others than its owner may read it."""


class SignError(OurError):
    """A folder cannot be signed as it is."""


class TrackerCheckError(OurError):
    """The tracker that pages are to load from is not there, or has another build."""
