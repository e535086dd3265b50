/**
 * What pages are told and may ask for, beside the options: types only, and what `npm` users compile against (docs/adr/0020-package.md).
 * A name that is gone from here, or another one, is a change of version.
 */

/**
 * `off`: nothing may be shared, or the tracker has switched it off; `unseen`: a player loads in a Worker of its own, and nothing of it passes here;
 * `idle`: no player has asked for anything; `joining`, `alone`, `sharing`: on the way to neighbours. The tracker has its reasons for
 * `refused` and `banned`; `holdout` is of those who share nothing, for comparison; `no-relay`: addresses are hidden, and there is no TURN server.
 * @typedef {"off" | "unseen" | "idle" | "joining" | "alone" | "sharing" | "refused" | "banned" | "holdout" | "no-relay"} State
 */

/**
 * @typedef {object} ByteTotals
 * @property {number} fromPeers
 * @property {number} fromFar  of those, from neighbours at another place
 * @property {number} relayed  of those, what a TURN server carried: no saving
 * @property {number} fromCdn
 * @property {number} toPeers
 * @property {number} wasted  that came twice
 * @property {number} rejected  that were not what they should be
 */

/**
 * @typedef {object} SegmentTotals
 * @property {number} fromPeers
 * @property {number} fromCdn
 * @property {number} mixed
 */

/**
 * @typedef {object} PeerStats  one neighbour, without an address
 * @property {string} peer  its id at the tracker, 20 hex digits
 * @property {number | null} rttSec  null before the first ping is answered
 * @property {boolean} far  at another place, or relayed while others are not
 * @property {boolean} relayed  by a TURN server
 * @property {boolean} uploads
 * @property {boolean} proven  what it sends was checked and is believed
 * @property {number} openPieces  asked of it and not here yet
 * @property {number} downBytes  that it sent
 * @property {number} upBytes  that we sent
 */

/**
 * @typedef {object} Stats  totals since the page loaded; state, content, peerId, neighbours and clusterSize are those of the latest content
 * @property {string} version
 * @property {boolean} enabled
 * @property {State} state
 * @property {string | null} content  the content's id
 * @property {string | null} peerId
 * @property {number} neighbours
 * @property {number} clusterSize  viewers at the same place, as the tracker last said
 * @property {PeerStats[]} peers  the neighbours of all contents
 * @property {ByteTotals} bytes
 * @property {SegmentTotals} segments
 */

/**
 * Why the CDN was asked for a segment (docs/debugging.md; the rules are those of core/scheduler.js).
 * @typedef {"unsigned" | "retry" | "alone" | "urgent" | "leader" | "backoff" | "late"} FetchReason
 */

/**
 * @typedef {object} SegmentEvent  a segment, or a block of a file, was handed to a player
 * @property {string} url  where it is on the CDN
 * @property {number} sizeBytes
 * @property {number} peerBytes  how many of them neighbours sent
 * @property {"cdn" | "peers" | "both"} source
 * @property {FetchReason | null} reason  why the CDN was asked for it; null where it sent nothing of it
 * @property {string} track  id, the same at all viewers
 * @property {string} type  of the track: "video", "audio", ...; empty where the manifest does not say
 * @property {number} number  in its track
 * @property {boolean} init  an initialisation segment
 * @property {number} durationSec  0 for those
 */

/**
 * @typedef {object} PeerEvent  a neighbour has come or gone
 * @property {string} peer  its id at the tracker, 20 hex digits
 * @property {"connected" | "closed"} state
 */

/** @typedef {{ state: State }} StateEvent  `stats().state` is another one */

/** @typedef {{ segment: SegmentEvent, peer: PeerEvent, state: StateEvent }} PoolEvents  what `PeerPool.on` tells, by name */

/** @typedef {{ loadedBytes: number, totalBytes: number, peerBytes: number }} FileProgress  of this reading; `peerBytes` came of other viewers */

/**
 * @typedef {RequestInit & { content?: string, progress?: (progress: FileProgress) => void }} FileInit  `content` names the file where host and
 *   path of its URL would not do; `progress` is called as bytes are read
 */

/** @typedef {import("./players/hlsjs-types.js").HlsLike} HlsLike */
/** @typedef {import("./players/dashjs-types.js").DashjsPlayer} DashjsPlayer */
/** @typedef {import("./players/shaka-types.js").ShakaPlayer} ShakaPlayer */
/** @typedef {import("./players/videojs-types.js").VideojsPlayer} VideojsPlayer */

/** A player that has an adapter. @typedef {HlsLike | DashjsPlayer | ShakaPlayer | VideojsPlayer} KnownPlayer */

/**
 * @typedef {object} AttachOptions
 * @property {string} [content]  names the content of this player alone
 * @property {{ Player: new (...args: any[]) => ShakaPlayer, net: object, util: object }} [shaka]  the library that made a Shaka player, where it is no global
 */

export {};
