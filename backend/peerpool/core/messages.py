"""The native protocol's messages, as docs/wire-protocol.md section 2 has them; bounds are in the types.

Decoding is validation: what comes out of `protocols/native.py` fits these bounds. Golden vectors freeze the encoding.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from peerpool.core import constants as c
from peerpool.core.clusters import Cell
from peerpool.core.places import Level

ContentId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{c.CONTENT_ID_HEX_CHARS}}}\Z")]
SessionId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{c.SESSION_ID_HEX_CHARS}}}\Z")]
PeerId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{c.PEER_ID_HEX_CHARS}}}\Z")]
Token = Annotated[str, Meta(max_length=c.MAX_TOKEN_CHARS)]
SITE_PATTERN = rf"^[A-Za-z0-9_-]{{1,{c.MAX_SITE_CHARS}}}\Z"
SiteId = Annotated[str, Meta(pattern=SITE_PATTERN)]
ContentName = Annotated[str, Meta(min_length=1, max_length=c.MAX_NAME_CHARS)]
Sdp = Annotated[str, Meta(min_length=1, max_length=c.MAX_SDP_CHARS)]
CandidateLine = Annotated[str, Meta(max_length=c.MAX_CANDIDATE_CHARS)]
MediaId = Annotated[str, Meta(max_length=64)]
LineIndex = Annotated[int, Meta(ge=0, le=65_535)]
# A report covers half a minute: a terabyte of it is 300 Gbit/s, more than any uplink.
ReportedBytes = Annotated[int, Meta(ge=0, le=2**40)]
ReportedCount = Annotated[int, Meta(ge=0, le=10_000)]
# More than a minute is no round trip: somebody's page was frozen meanwhile.
RttMs = Annotated[int, Meta(ge=1, le=60_000)]
# Nobody waits longer for a picture: the page was in the background.
FirstFrameMs = Annotated[int, Meta(ge=1, le=60_000)]
TrackId = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{{c.TRACK_ID_HEX_CHARS}}}\Z")]
SegmentNumber = Annotated[int, Meta(ge=0, lt=2**53)]
SegmentCount = Annotated[int, Meta(ge=1, lt=2**53)]


class ClientFrame(Struct, tag_field="type", frozen=True, gc=False):
    """Base of what a client sends."""


class Join(ClientFrame, tag="join", frozen=True, gc=False):
    """Become a member of the swarm of `content`, which is the hash of `name`, as a viewer of `site`."""

    content: ContentId
    session: SessionId
    token: Token | None = None
    want: Annotated[int, Meta(ge=0, le=c.WANT_MAX)] = c.WANT_DEFAULT
    site: SiteId | None = None
    name: ContentName | None = None


class Offer(ClientFrame, tag="offer", frozen=True, gc=False):
    """An SDP offer for the member `to`; `relay` where the sender will use a TURN server."""

    to: PeerId
    sdp: Sdp
    relay: bool = False


class Answer(ClientFrame, tag="answer", frozen=True, gc=False):
    """An SDP answer for the member `to`, whose offer is pending."""

    to: PeerId
    sdp: Sdp


class Candidate(ClientFrame, tag="candidate", frozen=True, gc=False):
    """One trickled ICE candidate for `to`; an empty `candidate` ends them."""

    to: PeerId
    candidate: CandidateLine
    mid: MediaId | None
    line: LineIndex | None


class Decline(ClientFrame, tag="decline", frozen=True, gc=False):
    """The offer of `to` is not taken."""

    to: PeerId


class Want(ClientFrame, tag="want", frozen=True):
    """Ask for `count` more neighbours, none of `except_`."""

    count: Annotated[int, Meta(ge=1, le=c.WANT_MAX)]
    except_: Annotated[list[PeerId], Meta(max_length=c.EXCEPT_MAX)] = field(name="except", default_factory=list)


class Nat(ClientFrame, tag="nat", frozen=True, gc=False):
    """How the sender's NAT maps (RFC 4787 section 4.1), and whether it has a public IPv6 address. Never answered."""

    mapping: Literal["none", "independent", "dependent", "blocked"]
    ipv6: bool = False


class Holding(Struct, frozen=True):
    """What a member holds of one track: runs of segments, and the one its player asked for last."""

    track: TrackId
    playhead: SegmentNumber
    held: Annotated[list[tuple[SegmentNumber, SegmentCount]], Meta(max_length=c.REPORTED_RANGES_MAX)]


class Report(ClientFrame, tag="report", frozen=True):
    """Totals since the last report, what is held and how far neighbours are, as the client claims them.

    `far_bytes` is the part of `peer_bytes` that came from outside the cluster, `relayed_bytes` the part that came
    through TURN, `received` which of them came from whom. `first_frame_ms` is how long a player that began since then
    took from its first request to its first frame. `attempts` are those at connections without a relay that the
    client offered: whether they came to be.
    """

    peer_bytes: ReportedBytes
    cdn_bytes: ReportedBytes
    sent_bytes: ReportedBytes
    neighbours: ReportedCount
    stalls: ReportedCount
    far_bytes: ReportedBytes = 0
    relayed_bytes: ReportedBytes = 0
    rtts: Annotated[dict[PeerId, RttMs], Meta(max_length=c.NEIGHBOURS_MAX)] = field(default_factory=dict)
    received: Annotated[dict[PeerId, ReportedBytes], Meta(max_length=c.NEIGHBOURS_MAX)] = field(default_factory=dict)
    tracker_rtt_ms: RttMs | None = None
    first_frame_ms: FirstFrameMs | None = None
    attempts: Annotated[dict[PeerId, bool], Meta(max_length=c.WANT_MAX)] = field(default_factory=dict)
    holdings: Annotated[list[Holding], Meta(max_length=c.REPORTED_TRACKS_MAX)] = field(default_factory=list)


class Accuse(ClientFrame, tag="accuse", frozen=True, gc=False):
    """The neighbour `peer` sent bytes that are not the content's. Never answered, whether it counts or not."""

    peer: PeerId


class Ice(ClientFrame, tag="ice", frozen=True, gc=False):
    """Ask for the servers anew, because the credentials of TURN are soon over."""


class Ping(ClientFrame, tag="ping", frozen=True, gc=False):
    """Still here; answered by `pong`."""


class Leave(ClientFrame, tag="leave", frozen=True, gc=False):
    """Forget the member; the socket stays."""


ClientMessage = Join | Offer | Answer | Candidate | Decline | Want | Nat | Report | Accuse | Ice | Ping | Leave


class TrackerFrame(Struct, tag_field="type", frozen=True):
    """Base of what the tracker sends."""


class Integrity(Struct, frozen=True):
    """How pieces are checked (docs/adr/0012): with records of `keys` (hex) from `digests`, by samples, or not."""

    mode: Literal["signed", "spot", "off"]
    keys: list[str] = field(default_factory=list)
    digests: str = ""


class Relay(Struct, frozen=True):
    """TURN servers (RTCIceServer with credentials) to use when nothing else connects, or only; good for `ttl_ms`.

    No member is to have more than `rate_bps` (bits a second) through them.
    """

    policy: Literal["fallback", "only"]
    servers: list[dict[str, Any]]
    ttl_ms: int
    rate_bps: int


class Welcome(TrackerFrame, tag="welcome", frozen=True):
    """Answer to `join`. `neighbours` best first; `cluster_size` counts the new member too; `cells` loosest first.

    `cluster` is that of the cells which is the member's cluster, absent where that is the whole swarm. `sharing` is
    false for who is in no swarm and only reports, and absent otherwise. `relay` is absent where there is no TURN.
    """

    peer: str
    neighbours: list[str]
    cluster_size: int
    ice_servers: list[dict[str, Any]]
    ping_interval_ms: int = c.PING_INTERVAL_MS
    report_interval_ms: int = c.REPORT_INTERVAL_MS
    cells: list[int] | UnsetType = UNSET
    cluster: int | UnsetType = UNSET
    sharing: bool | UnsetType = UNSET
    integrity: Integrity | UnsetType = UNSET
    relay: Relay | UnsetType = UNSET


def cluster_id(cluster: Cell) -> int | UnsetType:
    """Return what names a cluster on the wire: nothing for the whole swarm."""
    return UNSET if cluster.level is Level.WORLD else cluster.id


class IceServers(TrackerFrame, tag="ice", frozen=True):
    """Answer to `ice`: what `welcome` says of them, with new credentials."""

    ice_servers: list[dict[str, Any]]
    relay: Relay | UnsetType = UNSET


class Neighbours(TrackerFrame, tag="neighbours", frozen=True):
    """Answer to `want`."""

    neighbours: list[str]


class OfferFrom(TrackerFrame, tag="offer", frozen=True):
    """An offer, relayed."""

    from_: str = field(name="from")
    sdp: str


class AnswerFrom(TrackerFrame, tag="answer", frozen=True):
    """An answer, relayed."""

    from_: str = field(name="from")
    sdp: str


class CandidateFrom(TrackerFrame, tag="candidate", frozen=True):
    """A candidate, relayed."""

    from_: str = field(name="from")
    candidate: str
    mid: str | None
    line: int | None


class DeclineFrom(TrackerFrame, tag="decline", frozen=True):
    """A decline, relayed; with `why` the tracker's own: both NATs leave no hope without a TURN server."""

    from_: str = field(name="from")
    why: Literal["nat"] | UnsetType = UNSET


class Gone(TrackerFrame, tag="gone", frozen=True):
    """The member a message was for is not in the swarm."""

    peer: str


RelayedFrame = OfferFrom | AnswerFrom | CandidateFrom | DeclineFrom | Gone


class Hint(TrackerFrame, tag="hint", frozen=True):
    """The member's cluster is another, or has another size."""

    cluster_size: int
    cluster: int | UnsetType = UNSET


class Pong(TrackerFrame, tag="pong", frozen=True):
    """Answer to `ping`."""


class Restart(TrackerFrame, tag="restart", frozen=True):
    """The tracker goes away: reconnect after a time drawn uniformly between the two."""

    reconnect_min_ms: int
    reconnect_max_ms: int


class Error(TrackerFrame, tag="error", frozen=True):
    """A frame was refused."""

    code: str
    message: str
    retry_after_ms: int | UnsetType = UNSET
