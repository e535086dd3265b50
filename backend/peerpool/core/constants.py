"""The numbers and names that browser and tracker must agree on: the one source of them.

`peerpool constants --write` renders this module as `static/js/core/constants.js`; `make check` fails when the two have
drifted apart. What only the tracker needs lives in `limits.py`. Every value here says why it is what it is, and carries
its unit in its name. The comment above a constant becomes its JSDoc.
"""

# WebSocket subprotocol, and the prefix of every derived identity: bumped when either changes incompatibly.
PROTOCOL = "peerpool.1"

# Version in the HELLO frame between browsers: a neighbour that speaks another one is dropped.
WIRE_VERSION = 2

# Unit of transfer and of verification. Small enough for a data channel message everywhere (64 KiB is the limit that
# every browser accepts), large enough that framing and scheduling cost little at 10 Mbit/s.
PIECE_BYTES = 32_768

# Largest segment that is shared. Bounds what a neighbour can make us allocate; 64 MiB is a 10 s segment at 50 Mbit/s.
MAX_SEGMENT_BYTES = 67_108_864

# Blocks that files are shared in. At 10 Mbit/s one takes 0.8 s, several times a CDN's first byte, so that ranges cost
# little more than one long request; 64 fit what a page holds; and 32 pieces can come of several neighbours at once.
FILE_BLOCK_BYTES = 1_048_576

# Most pieces of a segment that has a signed record: its hashes, 32 bytes each, have to fit into one message of a data
# channel (64 KiB) together with what names the segment and the signature.
RECORD_PIECES_MAX = 1_920

# Version in the first byte of a signed record: another one is no record to who reads it.
RECORD_VERSION = 1

# Most ranges in one frame between browsers. A segment of 64 MiB has 2048 pieces, so at worst (every other piece)
# 1024 ranges describe any set of them.
MAX_FRAME_RANGES = 1_024

# Most cells in a PLACE frame between browsers: one a level, of which there are five, and room for more levels.
CELLS_MAX = 8

# Largest text frame either way on /signal. A browser's SDP for two data channels is 0.5 to 2 KiB, with many network
# interfaces 6 KiB; a frame with 64 peer ids is 2 KiB.
MAX_SIGNAL_FRAME_BYTES = 16_384

# Largest SDP inside an offer or answer, in UTF-16 code units for the browser and code points for the tracker (SDP is
# ASCII). Leaves room for JSON escapes within the frame.
MAX_SDP_CHARS = 12_288

# Largest trickled ICE candidate line. The longest seen, with IPv6, ufrag and tcptype, are under 250.
MAX_CANDIDATE_CHARS = 1_024

# Largest token at `join`: a JWT with a few claims is 300 to 800.
MAX_TOKEN_CHARS = 2_048

# Largest public id of a site: it is a short name in a tag's attribute.
MAX_SITE_CHARS = 64

# Largest content name at `join`: host and path of a manifest, which are under 200 nearly always.
MAX_NAME_CHARS = 512

# Hex digits of a peer id, 80 random bits: not guessable within the life of a swarm.
PEER_ID_HEX_CHARS = 20

# Hex digits of a session id, 8 bytes: names a browser to its neighbours only.
SESSION_ID_HEX_CHARS = 16

# Hex digits of a content id: the width of a BitTorrent info hash, which it also is.
CONTENT_ID_HEX_CHARS = 40

# Hex digits of a track id, 8 bytes.
TRACK_ID_HEX_CHARS = 16

# Tracks in one report of what is held: the rendition and the sound being played, and those just left ...
REPORTED_TRACKS_MAX = 4
# ... each with so many runs of segments, the longest: a viewer who hops about has more, and they are of little use.
REPORTED_RANGES_MAX = 8

# Neighbours a client asks for when it does not say. Eight sources saturate a downlink at stream bit rates, and keep a
# random graph of any size connected.
WANT_DEFAULT = 8

# Most neighbours one `join` or `want` may ask for: bounds what one member can learn of its swarm at once.
WANT_MAX = 30

# Most peer ids in the `except` of one `want`: twice the most neighbours anyone has.
EXCEPT_MAX = 64

# Most neighbours a client keeps; offers beyond it are declined. Above WANT_DEFAULT so that newcomers find room.
NEIGHBOURS_MAX = 16

# How often a client that has nothing else to say sends `ping`: three chances within IDLE_TIMEOUT_MS, and shorter than
# the 60 s after which common proxies close a silent socket.
PING_INTERVAL_MS = 25_000

# How often a client sends `report`. At 100,000 members this is 3,333 small frames a second, the largest regular load.
REPORT_INTERVAL_MS = 30_000

# A socket without a frame for so long is closed: the tab is gone and the network did not say so.
IDLE_TIMEOUT_MS = 90_000

# A relayed offer can be answered, and candidates relayed, for so long; ICE itself gives up after about 30 s.
OFFER_TIMEOUT_MS = 60_000

# Least time between two rounds of `hint` frames to the members of one cluster.
HINT_INTERVAL_MS = 5_000

# Share by which a cluster's size must have changed before its members are told: suppression works with a rough number.
HINT_CHANGE_RATIO = 0.25

# Bad frames after which a socket is closed: a buggy client gets a few error messages to show its author first.
MAX_BAD_FRAMES = 5

# Error codes, in the `code` of an `error` frame.
ERROR_BAD_FRAME = "bad_frame"
# A message that only a member may send came from a socket that has not joined.
ERROR_NOT_JOINED = "not_joined"
# Too many messages in a short time; `retry_after_ms` says when to go on.
ERROR_RATE_LIMITED = "rate_limited"
# The swarm or the tracker has no room for another member.
ERROR_FULL = "full"
# The token is missing or not good for this content.
ERROR_UNAUTHORIZED = "unauthorized"
# A field or list is larger than it may be.
ERROR_TOO_BIG = "too_big"
# Sharing is switched off for this viewer; it may ask again after `retry_after_ms`.
ERROR_OFF = "off"
# Neighbours on several other lines say that this one, or others on its line, sent wrong bytes.
ERROR_BANNED = "banned"

# Close code for a binary frame on /signal (RFC 6455: unsupported data).
CLOSE_UNSUPPORTED_DATA = 1003
# Close code for a frame above MAX_SIGNAL_FRAME_BYTES.
CLOSE_TOO_BIG = 1009
# Close code while the tracker restarts: reconnect, with jitter.
CLOSE_SERVICE_RESTART = 1012
# Close code after MAX_BAD_FRAMES.
CLOSE_BAD_FRAMES = 4400
# Close code for a missing or bad token: do not reconnect with the same one.
CLOSE_UNAUTHORIZED = 4401
# Close code after `off` and `banned`: play from the CDN.
CLOSE_OFF = 4403
# Close code after IDLE_TIMEOUT_MS without a frame, and for a socket that has not joined in time.
CLOSE_IDLE = 4408
# Close code for a socket that keeps sending above its rate, or does not read what it is sent.
CLOSE_RATE = 4429
