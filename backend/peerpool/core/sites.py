"""Who may use this tracker: the rules of one customer's site, as data, and the matching of origins and names.

A site here is a customer (docs/adr/0013-admission-by-site.md); what `places.py` calls a site is a line, and is called a
line wherever both are spoken of. Nothing here shows a secret: not `repr`, not an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct, field

from peerpool.core import identity
from peerpool.core.constants import CONTENT_ID_HEX_CHARS
from peerpool.core.messages import ContentName, SiteId
from peerpool.core.urls import DEFAULT_PORTS, PORT_MAX

# RFC 7518, section 3.2: a key of HS256 has at least 256 bits; in text that is at least as many characters as bytes.
SECRET_CHARS_MIN: Final = 32
# The one that signs, and those of rotations under way.
SECRETS_MAX: Final = 8
# Each is looked at for each join: a customer has a few hosts, and names groups of content.
ORIGINS_MAX: Final = 100
CONTENTS_MAX: Final = 1_000
# A browser's is scheme, host (253 characters at most) and port.
MAX_ORIGIN_CHARS: Final = 300
PERCENT: Final = 100.0

# Who has it sees a site's figures; shorter ones can be guessed.
DASHBOARD_TOKEN_MIN: Final = 16
DASHBOARD_TOKEN_MAX: Final = 200

TOKEN_MODES: Final = ("required", "optional")
INTEGRITY_MODES: Final = ("auto", "signed", "spot", "off")

_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<any>\*\.)?"
    r"(?P<host>[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_CONTENT_ID: Final = re.compile(rf"[0-9a-f]{{{CONTENT_ID_HEX_CHARS}}}")

Percent = Annotated[float, Meta(ge=0, le=PERCENT)]


class Origin(NamedTuple):
    """A page's origin, or with `is_wild` those of all hosts below `host`. Lower case, and the port always said."""

    scheme: str
    host: str
    port: int
    is_wild: bool = False

    def admits(self, other: Origin) -> bool:
        """Whether `other`, which is a page's, is this one or one of these. `*.a.b` is not `a.b`, nor `xa.b`."""
        if (self.scheme, self.port) != (other.scheme, other.port) or other.is_wild:
            return False
        return other.host.endswith(f".{self.host}") if self.is_wild else other.host == self.host


def parse_origin(text: str) -> Origin | None:
    """Return the origin in `text` (RFC 6454, section 6.2), or None: of `null`, and of whatever is none."""
    found = _ORIGIN.fullmatch(text) if len(text) <= MAX_ORIGIN_CHARS else None
    if found is None:
        return None
    host = found["host"].lower()
    scheme = found["scheme"].lower()
    port = int(found["port"] or DEFAULT_PORTS[scheme])
    if ".." in host or (found["any"] and host.startswith("[")) or port > PORT_MAX:
        return None
    return Origin(scheme, host, port, bool(found["any"]))


class Site(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """One `[[site]]` of the file; docs/sites.md has what each field means. Raises ValueError for what cannot be."""

    id: SiteId
    secrets: Annotated[list[str], Meta(max_length=SECRETS_MAX)] = []
    origins: Annotated[list[str], Meta(min_length=1, max_length=ORIGINS_MAX)]
    contents: Annotated[list[ContentName], Meta(min_length=1, max_length=CONTENTS_MAX)] = field(
        default_factory=lambda: ["*"]
    )
    tokens: str = "required"
    enabled: bool = True
    ramp_percent: Percent = PERCENT
    holdout_percent: Percent = 0.0
    max_members: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    joins_per_minute: Annotated[int, Meta(ge=1, le=10_000_000)] = 60_000
    integrity: str = "auto"
    dashboard_token: Annotated[str, Meta(max_length=DASHBOARD_TOKEN_MAX)] = ""

    def __post_init__(self) -> None:
        """Say what is wrong in a way that an operator can act on."""
        for number, secret in enumerate(self.secrets):
            if len(secret) < SECRET_CHARS_MIN:
                raise ValueError(
                    f"`secrets`: number {number + 1} has {len(secret)} characters, {SECRET_CHARS_MIN} are the least; "
                    'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
                )
        if self.tokens not in TOKEN_MODES:
            raise ValueError(f"`tokens` is one of: {', '.join(TOKEN_MODES)}")
        if self.tokens == "required" and not self.secrets:
            raise ValueError('`secrets` needs one at least where `tokens` is "required"')
        if 0 < len(self.dashboard_token) < DASHBOARD_TOKEN_MIN:
            raise ValueError(f"`dashboard_token` has {DASHBOARD_TOKEN_MIN} characters at least")
        if self.integrity not in INTEGRITY_MODES:
            raise ValueError(f"`integrity` is one of: {', '.join(INTEGRITY_MODES)}")
        for origin in self.origins:
            if parse_origin(origin) is None:
                raise ValueError(
                    f"`origins`: `{origin[:MAX_ORIGIN_CHARS]}` is none; write scheme, host and port as browsers do, "
                    "without a path: https://news.example, https://*.news.example, http://localhost:8080 "
                    "(names that are not ASCII as xn--...)"
                )

    def __repr__(self) -> str:
        return f"Site({self.id!r})"

    def admits_origin(self, text: str) -> bool:
        """Whether pages of this origin may join. An absent one is the empty text, and is admitted nowhere."""
        origin = parse_origin(text)
        return origin is not None and any(one.admits(origin) for one in map(parse_origin, self.origins) if one)

    def admits_content(self, name: str | None, content_id: str) -> bool:
        """Whether a content, by its name where that is said, is one of the site's."""
        return any(names(pattern, name, content_id) for pattern in self.contents)


def names(pattern: str, name: str | None, content_id: str) -> bool:
    """Whether `pattern` (a name, a name with `*`, or a content id) is that of a content whose name may be unknown."""
    if _CONTENT_ID.fullmatch(pattern):
        return pattern == content_id
    if "*" not in pattern:
        return identity.content_id(pattern) == content_id
    if name is None:
        return not pattern.strip("*")
    return _fits(pattern.split("*"), name)


def _fits(parts: Sequence[str], name: str) -> bool:
    """Whether `name` is these parts in order with anything between: each is sought once, so no pattern is slow."""
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


class Draw(NamedTuple):
    """Where a page view stands among all of its site: two numbers from 0 to below 100, and always the same."""

    holdout: float
    ramp: float

    def is_held_out(self, site: Site) -> bool:
        """Whether it only reports: drawn from everybody, so that it stays apart whatever the ramp is."""
        return self.holdout < site.holdout_percent

    def is_above_ramp(self, site: Site) -> bool:
        """Whether it does not share yet. Who shares goes on sharing while the ramp rises."""
        return self.ramp >= site.ramp_percent


def draw(site_id: str, session: str) -> Draw:
    """Draw the place of a page view."""
    digest = sha256(f"{site_id}:{session}".encode()).digest()
    return Draw(*(PERCENT * int.from_bytes(digest[at : at + 4]) / 2**32 for at in (0, 4)))
