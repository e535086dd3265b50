/**
 * The life of a download: asked for by a player, planned (scheduler.js), fed by neighbours and the CDN, told to the
 * neighbours, delivered, kept.
 */

import { Anticipation } from "./anticipation.js";
import { MAX_SEGMENT_BYTES, PIECE_BYTES } from "./constants.js";
import { Download } from "./download.js";
import { Election } from "./election.js";
import { Fetches } from "./fetches.js";
import { refKey } from "./identity.js";
import { Pipeline } from "./pipeline.js";
import { RangeSet } from "./range-set.js";
import { Average } from "./rates.js";
import { Requests } from "./requests.js";
import { plan } from "./scheduler.js";
import { Segment } from "./segment.js";
import {
  ANTICIPATED_MS,
  ANTICIPATION_DEADLINE_MS,
  ANTICIPATION_PAUSE_MS,
  BUSY_PAUSE_MS,
  HIDDEN_TIMER_MS,
  HTTP_RETRY_MAX_MS,
  HTTP_RETRY_MS,
  HTTP_SILENCE_MS,
  PEERS_GRACE_MS,
  PLAN_INTERVAL_MS,
  PLAYER_RETRY_MS,
  SPOT_PAUSE_MS,
  YIELD_SLACK_MS,
} from "./tuning.js";
import { FRAME, REFUSED_BUSY, REFUSED_NOT_HELD, REFUSED_NOT_UPLOADING } from "./wire.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */

export class Downloads {
  /**
   * @param {import("./neighbourhood.js").Neighbourhood} neighbourhood
   * @param {import("./store.js").Store} store
   * @param {import("./ledger.js").Ledger} ledger
   * @param {import("./outbox.js").Outbox} outbox
   * @param {import("./announcer.js").Announcer} announcer
   * @param {import("./integrity.js").Integrity} integrity
   * @param {import("./digests.js").Digests} digests
   * @param {(nowMs: number) => number} groupSize  peers that may want what we want, ourselves included
   * @param {() => number} joiningUntilMs  until then nobody is connected, and somebody is likely to be soon
   */
  constructor(neighbourhood, store, ledger, outbox, announcer, integrity, digests, groupSize, joiningUntilMs) {
    this._neighbourhood = neighbourhood;
    this._store = store;
    this._ledger = ledger;
    this._outbox = outbox;
    this._announcer = announcer;
    this._integrity = integrity;
    this._digests = digests;
    this._groupSize = groupSize;
    this._joiningUntilMs = joiningUntilMs;
    this._hidden = false;
    /** @type {Map<string, Download>} by ref key */
    this._all = new Map();
    /** @type {Map<string, Average>} track and kind -> segment size */
    this._sizes = new Map();
    this._fetches = new Fetches(outbox);
    this._pipeline = new Pipeline();
    this._requests = new Requests(outbox, this._fetches, () => announcer.dropped(store.release()));
    this._election = new Election(neighbourhood.session);
    this._anticipation = new Anticipation();
  }

  /** When timerFired has something to do; Infinity for never. */
  get wakeMs() {
    let next = Number.POSITIVE_INFINITY;
    for (const download of this._all.values()) next = Math.min(next, download.wakeMs ?? next);
    return next;
  }

  /** @returns {Iterable<Download>} */
  get running() {
    return this._all.values();
  }

  /** @param {string} key  of a segment @returns {boolean} whether the CDN is sending it to us, and more of it is to come */
  fetching(key) {
    return this._all.get(key)?.fetch?.whole ?? false;
  }

  /** @param {string} key  of a segment @returns {Segment | undefined} what is held of one still on its way */
  segment(key) {
    return this._all.get(key)?.segment;
  }

  /** How the CDN was; 0 where that is not known. */
  get cdn() {
    const { firstByteMs, rateBytesPerMs } = this._fetches;
    return {
      firstByteMs: firstByteMs.samples > 0 ? firstByteMs.value : 0,
      rateBytesPerMs: rateBytesPerMs.samples > 0 ? rateBytesPerMs.value : 0,
    };
  }

  /**
   * The page has it from elsewhere: neighbours may have it of us.
   * @param {SegmentSource} source  with both ends of its range @param {Uint8Array} bytes  of all of it; kept, not copied
   */
  seed(source, bytes) {
    const { ref, rangeStart, rangeEnd } = source;
    const segment = new Segment(ref, /** @type {number} */ (rangeEnd) - /** @type {number} */ (rangeStart));
    if (segment.sizeBytes !== bytes.length || this._store.has(ref) || this._all.has(refKey(ref))) return;
    segment.source = source;
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      segment.put(start / PIECE_BYTES, bytes.subarray(start, start + PIECE_BYTES), null);
    }
    this._announcer.held(ref, this._store.add(segment));
  }

  /** @param {number} nowMs */
  timerFired(nowMs) {
    for (const download of [...this._all.values()]) {
      if (download.wakeMs !== null && nowMs >= download.wakeMs) this._advance(download, nowMs);
    }
  }

  /** Nobody sees the page now, or somebody does again. @param {boolean} hidden @param {number} nowMs */
  visibilityChanged(hidden, nowMs) {
    this._hidden = hidden;
    if (hidden) this._election.resign();
    this.reconsiderAll(nowMs);
  }

  // ---- the player ----

  /** @param {SegmentSource} source @param {number} deadlineMs @param {number} nowMs @returns {number} the request */
  request(source, deadlineMs, nowMs) {
    if (this._anticipation.asked(source)) this._letGo(nowMs);
    const held = this._store.use(source.ref);
    if (held) return this._requests.answer(held, nowMs);
    const key = refKey(source.ref);
    const download = this._all.get(key) ?? this._begin(source, nowMs);
    if (download.source !== source) this._located(download, source);
    const request = this._requests.add(download, this._dueMs(Number.isFinite(deadlineMs) ? deadlineMs : nowMs));
    this._advance(download, nowMs);
    return request;
  }

  /** When to have it: the timers of a hidden page are late. @param {number} deadlineMs */
  _dueMs(deadlineMs) {
    return this._hidden ? deadlineMs - HIDDEN_TIMER_MS : deadlineMs;
  }

  /** The player took another rendition: what it would have asked for of the one before is given up. @param {number} nowMs */
  _letGo(nowMs) {
    for (const download of [...this._all.values()]) {
      if (download.requests.size > 0 || this._anticipation.next(download.ref)) continue;
      this._giveUp(download, nowMs);
    }
  }

  /** Where it is on the CDN; of one that was anticipated that was not known. @param {Download} download @param {SegmentSource} source */
  _located(download, source) {
    download.segment.source = source;
    if (source.rangeStart !== null && source.rangeEnd !== null) this._sized(download, source.rangeEnd - source.rangeStart);
  }

  /** @param {SegmentSource} source @param {number} nowMs @returns {Download} */
  _begin(source, nowMs) {
    const download = new Download(source, this._sizes.get(sizeKey(source.ref))?.value ?? source.expectedBytes, nowMs);
    this._all.set(download.key, download);
    return download;
  }

  /** @param {number} request @param {number} deadlineMs @param {number} nowMs */
  hasten(request, deadlineMs, nowMs) {
    const download = this._requests.hasten(request, this._dueMs(deadlineMs));
    if (download) this._advance(download, nowMs);
  }

  /** @param {number} request @param {number} nowMs */
  cancel(request, nowMs) {
    const download = this._requests.cancel(request);
    if (!download) return;
    this._giveUp(download, nowMs);
    this._giveRoom(Number.POSITIVE_INFINITY, nowMs);
  }

  // ---- neighbours ----

  /**
   * A neighbour has or expects some of a segment. If our player is about to ask for it, it need not wait for its playlist.
   * @param {SegmentRef} ref @param {number} nowMs
   */
  offered(ref, nowMs) {
    const running = this._all.get(refKey(ref));
    if (running) {
      this._soon(running, nowMs);
      return;
    }
    const source = this._store.has(ref) ? null : this._anticipation.next(ref);
    if (!source) return;
    const download = this._begin(source, nowMs);
    this._advance(download, nowMs);
  }

  /** Somebody says they fetch it. @param {import("./wire.js").ClaimFrame} claim @param {number} nowMs */
  claimHeard({ ref, claimant }, nowMs) {
    this._election.heard(ref);
    const download = this._all.get(refKey(ref));
    if (this._election.yields(ref, claimant) && download?.fetch?.whole) this._leave(download, nowMs);
    this.offered(ref, nowMs);
  }

  /** Another fetches the same: it is left to it, unless it is nearly here or needed soon. @param {Download} download @param {number} nowMs */
  _leave(download, nowMs) {
    const { heldBytes, sizeBytes } = download.segment;
    if (download.deadlineMs < nowMs + YIELD_SLACK_MS || heldBytes * 2 > (sizeBytes ?? Number.POSITIVE_INFINITY)) return;
    this._ledger.wastedBytes += this._fetches.abort(download, nowMs);
  }

  /** Something changed for it that need not be acted on within a few ms. @param {Download} download @param {number} nowMs */
  _soon(download, nowMs) {
    if (nowMs >= download.plannedMs + PLAN_INTERVAL_MS) this._advance(download, nowMs);
    else download.wake(download.plannedMs + PLAN_INTERVAL_MS);
  }

  /** Something changed for one segment. @param {SegmentRef} ref @param {number} nowMs */
  reconsider(ref, nowMs) {
    const download = this._all.get(refKey(ref));
    if (download) this._advance(download, nowMs);
  }

  /** Something changed for all. @param {number} nowMs */
  reconsiderAll(nowMs) {
    for (const download of [...this._all.values()]) this._advance(download, nowMs);
  }

  /** @param {Neighbour} neighbour  whose channel is closed @param {number} nowMs */
  neighbourGone(neighbour, nowMs) {
    for (const download of this._all.values()) {
      for (const index of [...download.asks.keys()]) download.unask(index, neighbour);
      for (const [index, suspect] of download.suspects) if (suspect.neighbour === neighbour) download.suspects.delete(index);
    }
    this.reconsiderAll(nowMs);
  }

  /**
   * @param {Neighbour} neighbour
   * @param {import("./wire.js").PieceFrame} frame
   * @param {number} nowMs
   */
  pieceReceived(neighbour, { ref, sizeBytes, index, payload }, nowMs) {
    const download = this._all.get(refKey(ref));
    const ask = download?.unask(index, neighbour)[0];
    this._pipeline.arrived(payload.length, nowMs);
    if (!download || !ask) {
      // Cancelled or finished meanwhile: the word and the piece crossed.
      this._ledger.wastedBytes += payload.length;
      return;
    }
    neighbour.delivered(payload.length, ask.sentMs, nowMs);
    const { segment, suspects, source, cdnOnly } = download;
    if (segment.sizeBytes === null) download.declaredBytes ??= sizeBytes;
    const misfits = segment.sizeBytes !== null && segment.sizeBytes !== sizeBytes && !segment.digest;
    if (misfits) neighbour.deny(ref);
    const held = segment.piece(index);
    if (misfits || held || suspects.has(index) || cdnOnly) {
      this._ledger.wastedBytes += payload.length;
      if (held && !segment.sender(index)) this._integrity.judge(neighbour, payload, held, nowMs);
    } else {
      const takesRanges = source.url === "" || this._fetches.takesRanges(source.url);
      this._integrity.received(download, index, { neighbour, payload, sizeBytes }, takesRanges, nowMs);
    }
    this._giveRoom(download.deadlineMs, nowMs);
    this._moved(download, nowMs);
    this._giveRoom(Number.POSITIVE_INFINITY, nowMs);
  }

  /** What a neighbour sent is the segment's, as far as can be told. @param {Download} download @param {number} index @param {import("./integrity.js").Suspect} piece @param {number} nowMs */
  accepted(download, index, { neighbour, payload, sizeBytes }, nowMs) {
    const { segment } = download;
    if (segment.sizeBytes === null && !download.fetch?.decidesSize) this._sized(download, sizeBytes);
    if (segment.sizeBytes === sizeBytes && segment.put(index, payload, neighbour.session)) {
      this._ledger.peerBytes += payload.length;
      neighbour.gainedBytes += payload.length;
      if (neighbour.far) this._ledger.farBytes += payload.length;
      if (neighbour.relayed) this._ledger.relayedBytes += payload.length;
      download.peerRate.add(payload.length, nowMs);
      this._gained(download, index, nowMs);
    } else {
      if (segment.sizeBytes !== sizeBytes) neighbour.deny(download.ref);
      this._ledger.wastedBytes += payload.length;
    }
  }

  /** What `hash` found may have brought a piece. @param {Download} download @param {number} nowMs */
  checked(download, nowMs) {
    this._giveRoom(download.deadlineMs, nowMs);
    this._moved(download, nowMs);
  }

  /** What it sent is believed from now on. @param {Neighbour} neighbour @param {number} nowMs */
  proven(neighbour, nowMs) {
    const released = this._released(neighbour);
    for (const [download, index, suspect] of released) this.accepted(download, index, suspect, nowMs);
    for (const [download] of released) this._moved(download, nowMs);
  }

  /**
   * The CDN did not say what it has in the place of a neighbour's piece. Who was never compared is left alone for a while, and what it
   * sent is asked of others.
   * @param {Neighbour} neighbour @param {string} url @param {number} status @param {number} nowMs
   */
  uncompared(neighbour, url, status, nowMs) {
    this._fetches.rangeAnswered(url, status);
    if (neighbour.proven || !this._fetches.takesRanges(url)) {
      this.proven(neighbour, nowMs);
      return;
    }
    neighbour.busyUntilMs = nowMs + SPOT_PAUSE_MS;
    const released = this._released(neighbour);
    for (const [, , { payload }] of released) this._ledger.wastedBytes += payload.length;
    for (const [download] of released) this._moved(download, nowMs);
  }

  /** @param {Neighbour} neighbour @returns {[Download, number, import("./integrity.js").Suspect][]} what was held apart of it until now */
  _released(neighbour) {
    /** @type {ReturnType<Downloads["_released"]>} */
    const released = [];
    for (const download of this._all.values()) {
      for (const [index, suspect] of download.suspects) {
        if (suspect.neighbour !== neighbour) continue;
        download.suspects.delete(index);
        released.push([download, index, suspect]);
      }
    }
    return released;
  }

  /** A neighbour sent wrong bytes: where nobody signs, what else it sent is not believed either. @param {Neighbour} neighbour */
  distrust(neighbour) {
    const { session } = neighbour;
    if (session === null) return;
    for (const download of this._all.values()) {
      for (const suspect of download.suspects.values()) {
        if (suspect.neighbour === neighbour) this._ledger.rejectedBytes += suspect.payload.length;
      }
      if (!download.segment.digest) this._ledger.rejectedBytes += download.segment.discard(session);
    }
    this._announcer.dropped(this._store.distrust(session));
  }

  /** @param {import("./digest.js").Digest} digest  genuine @param {number} nowMs @returns {boolean} whether it is of use */
  digestFound(digest, nowMs) {
    const held = this._store.peek(digest.ref);
    if (held) held.digest ??= digest.sizeBytes === held.sizeBytes ? digest : null;
    const download = this._all.get(refKey(digest.ref));
    if (!download) return held?.digest === digest;
    if (download.segment.digest) return true;
    download.segment.digest = digest;
    if (download.segment.sizeBytes === null && !download.fetch?.decidesSize) this._sized(download, digest.sizeBytes);
    if (download.segment.sizeBytes !== null && download.segment.sizeBytes !== digest.sizeBytes) this.disown(download);
    else this._integrity.digestFound(download);
    this._advance(download, nowMs);
    return download.shared;
  }

  /** @param {SegmentRef} ref @returns {boolean} whether pieces of it wait, or will, for a digest */
  lacksDigest(ref) {
    const download = this._all.get(refKey(ref));
    return download !== undefined && download.segment.digest === null && !download.cdnOnly;
  }

  /** Nobody has signed a segment: neighbours are of no use for it, and it is not shared. @param {SegmentRef} ref @param {number} nowMs */
  digestMissing(ref, nowMs) {
    const download = this._all.get(refKey(ref));
    if (!download || download.segment.digest) return;
    this.disown(download);
    this._advance(download, nowMs);
  }

  /** It is ours and the CDN's alone: the CDN gives us other bytes than were signed, or nobody signed it. @param {Download} download */
  disown(download) {
    download.cdnOnly = true;
    for (const { payload } of download.suspects.values()) this._ledger.wastedBytes += payload.length;
    download.suspects.clear();
    for (const index of [...download.asks.keys()]) this._takeBack(download, index);
    this._announcer.abandon(download);
    download.claimed = false;
    download.shared = false;
    this._ledger.wastedBytes += download.segment.resize(download.segment.sizeBytes); // what neighbours sent does not belong to it
  }

  /**
   * A neighbour has less to do for us: what found no room before gets it, what is needed soonest first.
   * @param {number} untilMs  only what is needed before this @param {number} nowMs
   */
  _giveRoom(untilMs, nowMs) {
    const waiting = [...this._all.values()].filter((download) => download.waitsForRoom && download.deadlineMs < untilMs);
    if (waiting.length > 1) waiting.sort((one, other) => one.deadlineMs - other.deadlineMs);
    for (const download of waiting) this._advance(download, nowMs);
  }

  /** @param {Neighbour} neighbour @param {import("./wire.js").RefuseFrame} frame @param {number} nowMs */
  refused(neighbour, { ref, reason, ranges }, nowMs) {
    if (reason === REFUSED_NOT_HELD) neighbour.deny(ref);
    else if (reason === REFUSED_NOT_UPLOADING) neighbour.uploads = false;
    else if (reason === REFUSED_BUSY) neighbour.busyUntilMs = nowMs + BUSY_PAUSE_MS;
    const download = this._all.get(refKey(ref));
    if (!download) return;
    for (const index of new RangeSet(ranges).values()) download.unask(index, neighbour);
    this._advance(download, nowMs);
    this._giveRoom(Number.POSITIVE_INFINITY, nowMs);
  }

  // ---- the CDN ----

  /** @param {number} job @param {{ partial: boolean, sizeBytes: number | null }} head @param {number} nowMs */
  fetchStarted(job, { partial, sizeBytes }, nowMs) {
    const running = this._fetches.find(job);
    if (!running) return;
    const { download, fetch } = running;
    if (!this._fetches.headReceived(download, fetch, partial, nowMs)) {
      this._outbox.push({ type: "abort", job });
      this.fetchFailed(job, { status: 200, reason: "the CDN sent the whole resource in place of a range" }, nowMs);
    } else if (fetch.whole && (sizeBytes !== null || download.source.rangeStart === null)) {
      this._sized(download, sizeBytes);
    }
  }

  /** @param {number} job @param {Uint8Array} bytes @param {number} nowMs */
  fetchReceived(job, bytes, nowMs) {
    const running = this._fetches.find(job);
    if (!running) return;
    const { download, fetch } = running;
    this._ledger.cdnBytes += bytes.length;
    this._pipeline.arrived(bytes.length, nowMs);
    download.firstByteMs ??= nowMs;
    fetch.heardMs = nowMs;
    const finished = fetch.take(bytes);
    const { segment } = download;
    // More than announced: the length was that of an encoded body. The end of the body will tell.
    if (fetch.whole && segment.sizeBytes !== null && fetch.nextOffset > segment.sizeBytes) this._sized(download, null);
    if (fetch.nextOffset > MAX_SEGMENT_BYTES) download.shared = false;
    for (const [index, piece] of finished) this._fetchedPiece(download, index, piece, nowMs);
    this._moved(download, nowMs);
  }

  /** The whole body came. @param {number} job @param {number} nowMs */
  fetchFinished(job, nowMs) {
    const running = this._fetches.find(job);
    if (!running) return;
    const { download, fetch } = running;
    this._fetches.measure(fetch, nowMs);
    if (fetch.whole) this._sized(download, fetch.nextOffset);
    else if (fetch.endedEarly(download.segment.sizeBytes)) this._sized(download, null); // the size we went by was a wrong one
    const rest = fetch.rest();
    if (rest) this._fetchedPiece(download, rest[0], rest[1], nowMs);
    this._fetches.ended(download);
    if (!fetch.gained) this._retryLater(download, nowMs); // what brought nothing will bring nothing
    this._moved(download, nowMs);
    this._giveRoom(Number.POSITIVE_INFINITY, nowMs);
  }

  /** @param {number} job @param {{ status: number, reason: string }} failure @param {number} nowMs */
  fetchFailed(job, failure, nowMs) {
    const running = this._fetches.find(job);
    if (running) this._fetchFailed(running.download, running.fetch, failure, nowMs);
  }

  /** @param {Download} download @param {import("./download.js").Fetch} fetch @param {{ status: number, reason: string }} failure @param {number} nowMs */
  _fetchFailed(download, fetch, failure, nowMs) {
    this._fetches.ended(download);
    if (this._fetches.rangeRefused(download, fetch, failure.status)) {
      this._advance(download, nowMs);
      return;
    }
    if (failure.status === 416 && !fetch.whole) this._sized(download, null); // there is no such range: the size was a wrong one
    this._retryLater(download, nowMs);
    this._announcer.unclaim(download);
    // A neighbour that says it holds the segment and never sends it must not keep the CDN's word from the player.
    const peersHaveTime = nowMs < download.deadlineMs + PEERS_GRACE_MS;
    if ((peersHaveTime && this._peersMayDeliver(download, nowMs)) || retriedInTime(download, failure.status)) {
      this._advance(download, nowMs);
      return;
    }
    this._requests.fail(download, failure);
    this._forget(download, nowMs);
  }

  // ---- inside ----

  /** Asks whom the plan says, and tells of it. @param {Download} download @param {number} nowMs */
  _advance(download, nowMs) {
    const silent = download.fetch;
    if (silent && nowMs >= silent.heardMs + HTTP_SILENCE_MS) {
      this._outbox.push({ type: "abort", job: silent.job });
      this._fetchFailed(download, silent, { status: 0, reason: `the CDN was silent for ${HTTP_SILENCE_MS} ms` }, nowMs);
      return;
    }
    download.plannedMs = nowMs;
    if (download.requests.size === 0 && !this._mayAnticipate(download, nowMs)) return;
    const { asks, cancels, fetch } = plan(download, this._surroundings(nowMs), nowMs);
    for (const [neighbour, indexes] of cancels) {
      this._neighbourhood.send(neighbour, { type: FRAME.CANCEL, ref: download.ref, ranges: RangeSet.of(indexes).ranges() });
    }
    for (const [neighbour, indexes] of asks) {
      this._neighbourhood.send(neighbour, { type: FRAME.REQUEST, ref: download.ref, ranges: RangeSet.of(indexes).ranges() });
    }
    if (fetch) {
      this._fetches.start(download, fetch, nowMs);
      // Of what a neighbour holds nobody waits for our digest: a newcomer's first segments.
      const { greeted } = this._neighbourhood;
      if (greeted.length > 0 && !this._neighbourhood.copies(download.ref)) this._seekDigest(download, nowMs);
      if (download.fetch?.whole) {
        this._announcer.claim(download);
        this._election.claimed(download.ref);
      }
      this._advance(download, nowMs);
      return;
    }
    this._integrity.compare(download);
    const digestDueMs = this._integrity.digestDueMs(download);
    if (nowMs >= digestDueMs) this._seekDigest(download, nowMs);
    else if (digestDueMs !== Number.POSITIVE_INFINITY) download.wake(digestDueMs);
    if (download.fetch) download.wake(download.fetch.heardMs + HTTP_SILENCE_MS);
    if (download.requests.size === 0) download.wake(download.createdMs + ANTICIPATED_MS);
  }

  /** @param {Download} download @param {number} nowMs */
  _seekDigest(download, nowMs) {
    const { source, segment, cdnOnly } = download;
    if (!this._integrity.signed || segment.digest || cdnOnly) return;
    const againMs = this._digests.seek(source, nowMs);
    if (againMs !== Number.POSITIVE_INFINITY) download.wake(againMs);
  }

  /**
   * Whether to go on with what the player has not asked for: not while it waits for something that it needs soon or that comes from
   * the CDN through the same line, and not for ever.
   * @param {Download} download @param {number} nowMs
   */
  _mayAnticipate(download, nowMs) {
    if (nowMs >= download.createdMs + ANTICIPATED_MS) {
      this._giveUp(download, nowMs);
      return false;
    }
    for (const { requests, deadlineMs, fetch } of this._all.values()) {
      if (requests.size === 0 || (!fetch && deadlineMs >= nowMs + ANTICIPATION_DEADLINE_MS)) continue;
      download.wakeMs = nowMs + ANTICIPATION_PAUSE_MS;
      return false;
    }
    return true;
  }

  /** @param {number} nowMs @returns {import("./scheduler.js").Surroundings} */
  _surroundings(nowMs) {
    return {
      session: this._neighbourhood.session,
      neighbours: this._neighbourhood.greeted,
      groupSize: this._groupSize(nowMs),
      joiningUntilMs: this._joiningUntilMs(),
      lineFull: () => this._pipeline.full(nowMs),
      roomPieces: () => this._pipeline.room(this._neighbourhood.greeted, this._fetches.rateBytesPerMs.value),
      election: this._election,
      uplinkBytesPerMs: this._neighbourhood.uplinkBytesPerMs,
      uploads: this._neighbourhood.uploads,
      hidden: this._hidden,
      httpFirstByteMs: this._fetches.firstByteMs,
      httpRateBytesPerMs: this._fetches.rateBytesPerMs,
      takesRanges: (url) => this._fetches.takesRanges(url),
    };
  }

  /** @param {Download} download @param {number} index @param {Uint8Array} piece @param {number} nowMs */
  _fetchedPiece(download, index, piece, nowMs) {
    this._compareOurs(download, index, piece, nowMs);
    if (this._all.get(download.key) === download && download.segment.put(index, piece, null)) {
      if (download.fetch) download.fetch.gained = true;
      this._gained(download, index, nowMs);
      this._integrity.fetched(download, index, piece);
    } else {
      this._ledger.wastedBytes += piece.length;
    }
  }

  /** What a neighbour sent of what the CDN sends too is compared for nothing. @param {Download} download @param {number} index @param {Uint8Array} piece @param {number} nowMs */
  _compareOurs({ segment, suspects }, index, piece, nowMs) {
    const suspect = suspects.get(index);
    const sender = segment.sender(index);
    const neighbour = suspect?.neighbour ?? (sender && this._neighbourhood.greeted.find(({ session }) => session === sender));
    const given = suspect?.payload ?? segment.piece(index);
    if (neighbour && given) this._integrity.judge(neighbour, given, piece, nowMs);
  }

  /** @param {Download} download @param {number} nowMs */
  _retryLater(download, nowMs) {
    download.retryAtMs = nowMs + Math.min(HTTP_RETRY_MAX_MS, HTTP_RETRY_MS * 2 ** download.failures++);
  }

  /** A piece is new: nobody else need send it, and the neighbours may have it. @param {Download} download @param {number} index @param {number} nowMs */
  _gained(download, index, nowMs) {
    download.firstByteMs ??= nowMs;
    download.gainedMs.set(index, nowMs);
    this._ledger.wastedBytes += download.suspects.get(index)?.payload.length ?? 0; // the CDN was first
    download.suspects.delete(index);
    this._takeBack(download, index);
    this._announcer.gained(download, index, nowMs);
  }

  /** Nobody need send this piece any more. @param {Download} download @param {number} index */
  _takeBack(download, index) {
    for (const { neighbour } of download.unask(index, null)) {
      this._neighbourhood.send(neighbour, { type: FRAME.CANCEL, ref: download.ref, ranges: [[index, 1]] });
    }
  }

  /** Somebody said how large it is; the CDN is believed. @param {Download} download @param {number | null} sizeBytes  null for unknown again */
  _sized(download, sizeBytes) {
    const { segment } = download;
    if (segment.sizeBytes === sizeBytes) return;
    if (segment.sizeBytes === null) {
      segment.sizeBytes = sizeBytes;
    } else {
      this._ledger.wastedBytes += segment.resize(sizeBytes);
      download.untold = [...segment.held.values()];
    }
    if (sizeBytes === null) return;
    if (sizeBytes > MAX_SEGMENT_BYTES) download.shared = false;
    if (segment.digest && segment.digest.sizeBytes !== sizeBytes && download.shared) this.disown(download);
    for (const index of [...download.asks.keys()]) if (index * PIECE_BYTES >= sizeBytes) download.unask(index, null);
  }

  /** Bytes came. @param {Download} download @param {number} nowMs */
  _moved(download, nowMs) {
    if (this._all.get(download.key) !== download) return; // what came made it whole already
    if (download.segment.complete) {
      this._finish(download, nowMs);
      return;
    }
    const { fetch, segment } = download;
    if (fetch && segment.sizeBytes !== null && this._fetches.overtaken(segment, fetch)) {
      this._ledger.wastedBytes += this._fetches.abort(download, nowMs);
    }
    this._requests.progress(download, nowMs);
    this._advance(download, nowMs);
  }

  /** It is whole. @param {Download} download @param {number} nowMs */
  _finish(download, nowMs) {
    const { segment } = download;
    this._requests.deliver(download, nowMs);
    this._ledger.finished(segment.heldBytes, segment.peerBytes);
    this._outbox.push({ type: "whole", ref: segment.ref });
    const sizes = this._sizes.get(sizeKey(segment.ref)) ?? new Average(0);
    sizes.add(segment.heldBytes);
    this._sizes.set(sizeKey(segment.ref), sizes);
    this._forget(download, nowMs);
    if (download.shared) this._announcer.held(segment.ref, this._store.add(segment));
  }

  /** Nobody wants it any more. @param {Download} download @param {number} nowMs */
  _giveUp(download, nowMs) {
    this._announcer.abandon(download);
    this._forget(download, nowMs);
  }

  /** @param {Download} download @param {number} nowMs */
  _forget(download, nowMs) {
    for (const index of [...download.asks.keys()]) this._takeBack(download, index);
    download.suspects.clear();
    this._ledger.wastedBytes += this._fetches.abort(download, nowMs);
    this._announcer.forget(download);
    this._all.delete(refKey(download.ref));
  }

  /** @param {Download} download @param {number} nowMs */
  _peersMayDeliver(download, nowMs) {
    if (download.asks.size > 0) return true;
    return this._neighbourhood.greeted.some(
      (neighbour) =>
        neighbour.uploads &&
        (neighbour.holds(download.ref) || neighbour.partial(download.ref) || nowMs < neighbour.claimEndsMs(download.key)),
    );
  }
}

/** @param {SegmentRef} ref */
const sizeKey = ({ track, kind }) => `${track}/${kind}`;

/**
 * Whether the CDN may be asked again before the player must know. Only what may pass is worth it (no answer, or a server's
 * own trouble); and the player is left the time to try what it would have tried.
 * @param {Download} download @param {number} status
 */
function retriedInTime(download, status) {
  const retryAtMs = /** @type {number} */ (download.retryAtMs);
  return (status === 0 || status === 416 || status >= 500) && retryAtMs + PLAYER_RETRY_MS < download.deadlineMs;
}
