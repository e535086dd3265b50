/**
 * The client's own numbers, each with its reason. What both sides must agree on is in constants.js.
 */

/** Before a neighbour has sent anything: 4 Mbit/s, an ordinary uplink. Wrong by a factor of ten, it is right after five pieces. */
export const NEIGHBOUR_RATE_GUESS_BYTES_PER_MS = 500;
/** Before the first PONG: a round trip within one country. */
export const NEIGHBOUR_RTT_GUESS_MS = 50;
/** Groups (track, kind, discontinuity) a neighbour may tell us of: a ladder of 20 renditions with its init segments, audio and subtitles, thrice. */
export const NEIGHBOUR_GROUPS_MAX = 256;
/** Ranges in all its have-maps: a viewer who hops about leaves hundreds, not thousands. */
export const NEIGHBOUR_RANGES_MAX = 4096;
/** Segments in progress or claimed by one neighbour: a player loads a few at a time. */
export const NEIGHBOUR_PARTIALS_MAX = 64;

/** Requests are kept ahead of a neighbour's answers by a round trip and this, so that its uplink never idles between our messages. */
export const PIPELINE_MS = 200;
/** Two pieces are always on their way, or a neighbour of unknown speed would never show it. */
export const PIPELINE_PIECES_MIN = 2;
/** 1 MiB of 32 KiB pieces: a gigabit neighbour at 8 ms; more only makes cancelling dearer. */
export const PIPELINE_PIECES_MAX = 32;

/** What neighbours tell is acted on this often: a crowd of them tells of every piece. */
export const PLAN_INTERVAL_MS = 8;

/** What neighbours together are asked for at once: what our own line carries in this time ... */
export const IN_FLIGHT_MS = 400;
/** ... and at least this. */
export const IN_FLIGHT_PIECES_MIN = 3;
/** Our line is full when so much of the most that ever arrived arrives. */
export const LINE_FULL = 0.7;
/** What a fetch will have brought with less than this to spare is left to it ... */
export const JUST_IN_TIME_MS = 1000;
/** ... and of others a piece that it is to bring only where they will surely be sooner: both bringing it is the line's time lost. */
export const AHEAD_OF_FETCH_FACTOR = 1.5;
export const AHEAD_OF_FETCH_MS = 100;
/** ... but for so many pieces of what a player shows its first frame with: a segment of sound, or of a low rendition's picture. */
export const FIRST_PIECES_RACED = 3;
/** While the player waits for something that it needs within this, nothing is loaded that it has not asked for. */
export const ANTICIPATION_DEADLINE_MS = 1500;
export const ANTICIPATION_PAUSE_MS = 50;
/** A fetch is left to another who fetches the same, if there is at least this much time. */
export const YIELD_SLACK_MS = 3000;

/** A neighbour that refused for want of room is left alone for this long. */
export const BUSY_PAUSE_MS = 250;

/** A request unanswered for this many times its expectation is overdue, and may be raced by another neighbour. */
export const OVERDUE_FACTOR = 3;
/** ... and at least this old: shorter than this is jitter of busy pages. */
export const OVERDUE_MIN_MS = 400;
/** A piece is taken back from one neighbour for another that is expected to bring it this many times sooner, ... */
export const MOVE_FACTOR = 1.5;
/** ... and by no less than a short round trip, for that is what asking costs. */
export const MOVE_MIN_MS = 30;
/** What has waited for some time is expected to wait for this part of it again: its sender has others to serve. */
export const MOVE_OF_AGE = 0.5;
/** With less time than this to the deadline an overdue piece is raced, with more it is moved: asked of another and taken back. */
export const RACE_MS = 1500;
/** One piece is on its way from at most this many neighbours. */
export const PIECE_RACERS_MAX = 2;

/** Held back from the player's time for its own work (transmuxing, appending) and our timers' lateness. */
export const DEADLINE_MARGIN_MS = 300;
/** HTTP is given this much more than its mean asks for. */
export const HTTP_SAFETY = 1.5;
/** Before the first response: a CDN two towns away. */
export const HTTP_FIRST_BYTE_GUESS_MS = 100;
/** Before the first body: 8 Mbit/s. */
export const HTTP_RATE_GUESS_BYTES_PER_MS = 1000;
/** After a CDN's failure peers have until the deadline and this to deliver, before the player is told. */
export const PEERS_GRACE_MS = 4000;
/** A CDN that sends nothing for this long, before or within a body, is given up; hls.js's own time to the first byte. */
export const HTTP_SILENCE_MS = 10000;
/** A body shorter than this says little of the CDN's rate: it fits a congestion window. */
export const HTTP_RATE_SAMPLE_MIN_BYTES = 65536;
/** A fetch that comes upon what neighbours have brought already ends, when passing over it takes longer than so many first bytes: a new connection, and the answer. */
export const REFETCH_ROUND_TRIPS = 3;
/** ... and is more than this: a line that is full delays the new answer too. */
export const REFETCH_MIN_BYTES = 98304;
/** How long peers must have been asked before their pace tells when they will be done. */
export const PEERS_PACE_MS = 400;
/** Of what peers bring at their pace so much is counted on; the CDN is asked for the rest, ... */
export const PEERS_PACE_TRUST = 0.7;
/** ... and for at least this part of what is missing, or it would be asked again and again. */
export const SHORTFALL_MIN = 0.25;
/** Peers that fall behind together do not turn to the CDN together: spread over this part of the time there was, at most. */
export const HEDGE_SPREAD = 0.25;
/** A refused or failed request is repeated after this, doubled each time, while peers may still deliver or there is time. */
export const HTTP_RETRY_MS = 500;
/** ... up to this. */
export const HTTP_RETRY_MAX_MS = 4000;
/** A failure is told to the player when this is left before it is needed: time for its own retries, other CDNs and renditions. */
export const PLAYER_RETRY_MS = 6000;

/** Segments ahead of the newest that the player asked for which are taken as soon as a neighbour has word of them. */
export const ANTICIPATED_SEGMENTS = 2;
/** One that neither the player nor a neighbour moved for this long is let go: the player went elsewhere. */
export const ANTICIPATED_MS = 10000;

/** Live tracks of which it is remembered who fetches: a ladder with audio, and those left behind. */
export const ELECTION_GROUPS_MAX = 32;
/** Who fetched one of the last so many segments fetches the next. */
export const ELECTION_MEMORY_SEGMENTS = 3;
/** While somebody else is the fetcher, others hold back for this long after they have seen a fresh segment, ... */
export const ELECTION_HOLD_MS = 400;

/** Neighbours outside our cluster are asked when this part of the time there was has gone: the CDN can still be asked after them. */
export const FAR_AFTER = 0.5;

/** Whose uplink is below its neighbours' median fetches for them only if it passes a segment on this many times sooner than else asked. */
export const BETTER_FETCHERS_FACTOR = 3;

/** A fresh segment is waited for at most this part of its duration: its word must be out well before the next one appears. */
export const BACKOFF_OF_DURATION = 0.5;
/** ... and at most this part of the time there is to spare. */
export const BACKOFF_OF_SLACK = 1 / 3;
/** ... and never longer than this. */
export const BACKOFF_MAX_MS = 2000;
/** A claim is passed on this often: with five neighbours each, ten thousand peers hear of it. */
export const CLAIM_HOPS_MAX = 6;
/** Claims remembered and passed on at once, and per millisecond after that: a page loads a few segments a second. */
export const RUMOURS_MAX = 512;
export const RUMOURS_PER_MS = 0.02;
/** Claims of one segment passed on: enough for two to hear of each other. When all fetch for themselves it is no news any more. */
export const RUMOURS_OF_SEGMENT_MAX = 2;
/** A claim that has not moved for this long is dead. */
export const CLAIM_PATIENCE_MS = 1500;

/** Held for others and for playing again, unless the page says otherwise: half a minute of 16 Mbit/s, five minutes of 1.6 ... */
export const STORE_BYTES = 67108864;
/**
 * ... and at most a 128th of the device's memory. A device of 2 GiB leaves a page some hundred MiB, of which the player's own
 * buffer comes first: Chromium gives that 30 MiB on the smallest devices and 150 elsewhere.
 */
export const STORE_BYTES_PER_GIB = 8388608;
/**
 * Held by a page that is hidden, which browsers discard the sooner the more it holds, or that has run out of memory: half a minute
 * of 4 Mbit/s, more than a live swarm asks for. The simulator's large swarms hold no more.
 */
export const STORE_FLOOR_BYTES = 16777216;
/**
 * What a hidden page sends of its limit: whoever looks at another page is not to feel it there. A quarter of the default is 5 Mbit/s,
 * so that viewers who only listen still carry each other.
 */
export const HIDDEN_UPLOAD_SHARE = 0.25;
/** Timers of a hidden page ring once a second (Chromium and Firefox; once a minute only without an open data channel). */
export const HIDDEN_TIMER_MS = 1000;
/** Of the segments used longest ago so many are compared by how many neighbours hold them, when one has to go. */
export const STORE_EVICTION_CANDIDATES = 8;

/** Bytes handed to all channels and not yet sent: what the uplink carries in this time, so that one can still change one's mind ... */
export const UPLOAD_BUDGET_MS = 30;
/** ... and at least a piece; the next is handed over when half of it has gone. */
export const UPLOAD_BUDGET_MIN_BYTES = 32768;
/** While they are full they are looked at again after this: a channel tells of crossing its mark only. */
export const UPLOAD_LOOK_MS = 10;
/** A channel takes another piece when it has no more than this left. */
export const UPLOAD_LANE_LOW_BYTES = 16384;
/** A channel that has not moved for this long does not count: its receiver is gone or has stopped reading. */
export const UPLOAD_STUCK_MS = 500;
/** Sent beyond the cap of the ratio by who has received little yet: a newcomer's first segments, passed on to some. */
export const UPLOAD_RATIO_GRACE_BYTES = 16777216;
/** The share of who passes on nothing: a tenth of an ordinary uplink's. */
export const UPLOAD_WEIGHT_MIN_BYTES_PER_MS = 50;
/** Pieces one neighbour may have waiting with us. Its own pipeline is never longer. */
export const UPLOAD_QUEUE_MAX = 256;
/** Segments of which it is remembered how often each piece was sent: more are not in demand at once. */
export const UPLOAD_MEMORY_SEGMENTS = 32;
/** The upload cap's burst: one second of it. */
export const UPLOAD_BURST_MS = 1000;

/** Who has not said HELLO on an open channel by then never will, and takes somebody's place. */
export const HELLO_TIMEOUT_MS = 10000;
/** Neighbours hear of our uplink when it was measured to be this much different, ... */
export const STATUS_CHANGE = 0.25;
/** ... and not more often than this. */
export const STATUS_INTERVAL_MS = 2000;
/** Neighbours of no use for this long are changed for others, one at a time, ... */
export const REVIEW_INTERVAL_MS = 120000;
/** ... by who has at least so many: fewer are kept in reserve. */
export const REVIEW_NEIGHBOURS_MIN = 6;
/** How often neighbours are pinged. */
export const PING_INTERVAL_MS = 20000;
/** PROGRESS is gathered for this long, so that a fast download does not tell every piece in a frame of its own. */
export const PROGRESS_INTERVAL_MS = 10;
/** For this long after its start a peer does not believe it is alone, though it knows nobody yet. */
export const JOINING_MS = 3000;

/** Neighbours dialled before the player has its first segment: enough to win the race for it, few enough not to slow it down, ... */
export const FIRST_DIALS = 2;
/** ... unless it takes longer than this. */
export const SETTLE_MS = 1000;
/** Connections being set up before the next is dialled. Each costs the page some ms of the time its first frame needs. */
export const DIALS_AT_ONCE = 3;
/** ICE has failed by then or never ends: it gives up on a pair after some 10 s. */
export const CONNECT_TIMEOUT_MS = 15000;
/** A peer that could not be reached is not tried again for so long: NATs do not change, but viewers take their phones elsewhere. */
export const TRY_AGAIN_MS = 600000;
/** So many of them are remembered: as many as one swarm introduces in that time, and again. */
export const UNREACHED_MAX = 64;
/** Who has fewer neighbours than this, and nobody left to try, takes a relay ... */
export const RELAY_BELOW = 2;
/** ... to so many: each byte costs whoever runs it twice, and two keep a viewer from depending on one. */
export const RELAY_LINKS_MAX = 2;
/**
 * The direct way is given up after this where there are relays: by hole punching most connections are open within two seconds, and a
 * viewer who needs a relay is alone until then.
 */
export const DIRECT_TIMEOUT_MS = 6000;
/** A STUN server that was asked five times by then, as browsers do (RFC 8489 section 6.2.1), and has not answered, will not. */
export const GATHERING_PATIENCE_MS = 5000;
/** So many connections ask two STUN servers, for what that tells of our NAT: the first, and one more should it end too soon. */
export const CLASSIFYING_LINKS = 2;
/** Credentials of relays are not asked for more often than this. */
export const ICE_TTL_MIN_MS = 60000;
/** Whose NAT turns out to be a hard one asks for whom it can reach after this: the answer needs a round trip anyway. */
export const NAT_WANT_MS = 500;
/** A moment's loss must not make a connection look for another way again and again, ... */
export const RESTART_PAUSE_MS = 5000;
/** ... nor may a neighbour make us do so for ever: each time allows it CANDIDATES_MAX addresses. */
export const RESTARTS_MAX = 8;
/** After a change of network a tracker that is silent for this long is on the other side of it. */
export const MOVED_SILENCE_MS = 3000;
/** Addresses of one neighbour that the browser is given: four networks with IPv4 and IPv6, each with its reflexive and relayed ones, are some twelve. */
export const CANDIDATES_MAX = 16;
/** After a refused token the page's function is asked for another after this, drawn from once to twice it; then after so many times that. */
export const TOKEN_RETRY_MS = 1000;
export const TOKEN_RETRY_FACTOR = 8;
/** A function that gives bad tokens so often will go on to. */
export const TOKEN_RETRIES_MAX = 3;
/** Who is sent away comes back after this where it was not told when, and after a ban not before. */
export const AWAY_MS = 600000;
/** ... and after this at last. */
export const AWAY_MAX_MS = 86400000;
/** What a tracker may say: intervals of a second to an hour, clusters up to ten million. */
export const INTERVAL_MIN_MS = 1000;
export const INTERVAL_MAX_MS = 3600000;
export const CLUSTER_SIZE_MAX = 1e7;
/** How often more neighbours are asked for while there are too few; drawn from once to twice this. */
export const WANT_AGAIN_MS = 8000;
/** Twice as long after each answer that names nobody, up to this: the tracker tells a viewer of a new one every 75 s then. */
export const WANT_AGAIN_MAX_MS = 64000;
/** A tracker silent for this long after a ping is gone. */
export const PONG_TIMEOUT_MS = 15000;
/** First wait before a lost tracker is tried again; doubled each time, drawn from the upper half of it. */
export const RECONNECT_FIRST_MS = 1000;
/** In the first minute the tracker is most likely restarting: everybody is back within this of its return. */
export const RECONNECT_SHORT_CAP_MS = 8000;
export const RECONNECT_LONG_MS = 60000;
/** After that it is down for longer, and is not to be met by everybody at once. */
export const RECONNECT_LONG_CAP_MS = 60000;

/** A digest is asked for again after this where the answer was an error that may pass, ... */
export const DIGEST_RETRY_MS = 1000;
/** ... so often in all: a segment is of interest for a few seconds. */
export const DIGEST_ATTEMPTS = 3;
/**
 * Pieces wait so long for a neighbour to send their digest before we ask for it ourselves: many times the way from the fetcher, a part
 * of a segment's duration.
 */
export const DIGEST_PATIENCE_MS = 700;
/** Digests that a neighbour is remembered to have: more segments are not on their way at once. */
export const NEIGHBOUR_DIGESTS_MAX = 256;
/** Where nobody signs, this share of the pieces is compared with the CDN, besides the first of each neighbour: half a point of the offload. */
export const SPOT_SHARE = 1 / 200;
/** ... and held apart meanwhile if there is this long: a comparison is a round trip to the CDN, and must not make a segment late. */
export const SPOT_MIN_SPARE_MS = 1500;
/** Who was never compared is asked where so many others do not have it: each of them costs a comparison. Fewer make the swarm slower. */
export const SPOT_PROVEN_ENOUGH = 5;
/** A neighbour whose first piece the CDN did not answer for is not asked for this long: the CDN may be back then. */
export const SPOT_PAUSE_MS = 4000;
/** Neighbours that are remembered for what they sent, by session and by peer id. */
export const BANNED_MAX = 256;
