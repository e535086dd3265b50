/**
 * One peer in one swarm, without I/O: what happens goes in with the time it happened, commands come out.
 *
 *   in   request, cancel, seed                            from a player
 *        neighbourOpened/Closed, frameReceived, drained   from channels
 *        fetchStarted/Received/Finished/Failed            from HTTP
 *        joined, clustered                                from the tracker
 *        visibilityChanged, limitUploads                  from the page
 *        timerFired                                       from a clock, at nextTimerMs
 *   out  takeCommands()                                   to all of them
 *
 * After every call the caller executes takeCommands() and sets its one timer to nextTimerMs.
 * This module routes; the rules are in scheduler.js, suppression.js, uploads.js and store.js.
 */

import { uploadAllowance } from "./allowance.js";
import { Announcer } from "./announcer.js";
import { Digests } from "./digests.js";
import { Downloads } from "./downloads.js";
import { refKey } from "./identity.js";
import { Integrity } from "./integrity.js";
import { Ledger } from "./ledger.js";
import { Neighbourhood } from "./neighbourhood.js";
import { Outbox } from "./outbox.js";
import { RangeSet } from "./range-set.js";
import { Reporter } from "./reporter.js";
import { Store } from "./store.js";
import { JOINING_MS } from "./tuning.js";
import { Uploads } from "./uploads.js";
import { decodeFrame, FRAME, REFUSED_BUSY, REFUSED_CANCELLED, REFUSED_NOT_HELD, REFUSED_NOT_UPLOADING, WireError } from "./wire.js";

/** @typedef {import("./download.js").SegmentSource} SegmentSource */
/** @typedef {import("./identity.js").SegmentRef} SegmentRef */
/** @typedef {import("./neighbour.js").Neighbour} Neighbour */
/** @typedef {import("./outbox.js").Command} Command */
/** @typedef {import("./wire.js").Frame} Frame */

/**
 * @typedef {object} NodeOptions
 * @property {string} session  16 hex digits
 * @property {string} [content]  content id; without one no digest is of it
 * @property {() => number} [random]  uniform in [0, 1), not to be guessed by neighbours; without it nothing is drawn to be compared
 * @property {number} storeBytes  cap of what is held
 * @property {number} uploadBytesPerMs  cap; Infinity for none, 0 to upload nothing
 * @property {number} [uploadRatioMax]  cap of bytes sent / bytes received; without one there is none
 */

/**
 * @typedef {object} Clustering
 * @property {number | null} cluster  the cell that is our cluster; null for the whole swarm
 * @property {number} clusterSize  members in it, ourselves included
 */

export class PeerNode {
  /** @param {NodeOptions} options @param {number} nowMs */
  constructor(options, nowMs) {
    const {
      session,
      content = "",
      storeBytes,
      uploadBytesPerMs,
      uploadRatioMax = Number.POSITIVE_INFINITY,
      random = never,
    } = options;
    this.ledger = new Ledger();
    this._startedMs = nowMs;
    this._uploadBytesPerMs = uploadBytesPerMs;
    this._hidden = false;
    /** @type {number | null} null until the tracker has said it */
    this._clusterSize = null;
    this._outbox = new Outbox();
    this._reporter = new Reporter();
    this._store = new Store(storeBytes, (ref) => this._neighbourhood.copies(ref));
    this._uploads = new Uploads(uploadBytesPerMs, uploadRatioMax, this._holdings(), nowMs);
    this._neighbourhood = new Neighbourhood(session, this._uploads.enabled, this._outbox, nowMs);
    this._announcer = new Announcer(this._neighbourhood, nowMs);
    this._integrity = new Integrity(this._outbox, random, {
      passed: (download, index, piece, now) => this._downloads.accepted(download, index, piece, now),
      failed: (neighbour, reason, sizeBytes, now) => {
        this.ledger.rejectedBytes += sizeBytes;
        this._banish(neighbour, reason, now);
      },
      proven: (neighbour, now) => this._downloads.proven(neighbour, now),
      untold: (neighbour, url, status, now) => this._downloads.uncompared(neighbour, url, status, now),
      disowned: (download) => this._downloads.disown(download),
    });
    this._digests = new Digests(content, this._neighbourhood, this._outbox, {
      found: (digest, now) => this._downloads.digestFound(digest, now),
      missing: (ref, now) => this._downloads.digestMissing(ref, now),
      forged: (neighbour, reason, now) => this._banish(neighbour, reason, now),
    });
    this._downloads = new Downloads(
      this._neighbourhood,
      this._store,
      this.ledger,
      this._outbox,
      this._announcer,
      this._integrity,
      this._digests,
      (now) => this._groupSize(now),
      () => this._joiningUntilMs,
    );
  }

  // ---- out ----

  /** @returns {Command[]} to execute, in order; each is returned once */
  takeCommands() {
    return this._outbox.take();
  }

  /** @returns {number} when to call timerFired; Infinity for never */
  get nextTimerMs() {
    return Math.min(
      this._neighbourhood.wakeMs,
      this._announcer.wakeMs,
      this._downloads.wakeMs,
      this._uploads.wakeMs ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Neighbours that have said HELLO; another array whenever they are others. @returns {readonly Neighbour[]} */
  get neighbours() {
    return this._neighbourhood.greeted;
  }

  get neighbourCount() {
    return this.neighbours.length;
  }

  /** @returns {Iterable<SegmentRef>} segments held whole */
  held() {
    return this._store.refs();
  }

  /** For the tracker. @param {number} stalls  of the players, ever @returns {import("./reporter.js").Report} since the last */
  report(stalls) {
    return this._reporter.next(this.ledger, stalls, this._neighbourhood.greeted, this._store.refs());
  }

  /** Members of our cluster as the tracker last said, or 0. */
  get clusterSize() {
    return this._clusterSize ?? 0;
  }

  // ---- in: the tracker ----

  /**
   * @param {{ peer: string, cells: number[], integrity?: import("./integrity.js").IntegrityPolicy } & Clustering} joined  the id it gave us,
   *   where we are, how what neighbours send is checked
   * @param {number} nowMs
   */
  joined({ peer, cells, cluster, clusterSize, integrity }, nowMs) {
    if (integrity) {
      this._integrity.mode = integrity.mode;
      this._digests.configure(integrity.keys, integrity.digests);
    }
    this._neighbourhood.named(peer);
    this.clustered({ cluster, clusterSize }, nowMs, cells);
  }

  /** @param {Clustering} clustering  now @param {number} nowMs @param {number[]} [cells]  where we are, if it was said */
  clustered({ cluster, clusterSize }, nowMs, cells) {
    this._clusterSize = clusterSize;
    this._neighbourhood.placed(cluster, cells);
    this._downloads.reconsiderAll(nowMs);
  }

  /** Peers that may fetch what we fetch. Who has only just started does not believe it is alone. @param {number} nowMs */
  _groupSize(nowMs) {
    const known = Math.max(this._clusterSize ?? 1, this.neighbourCount + 1);
    const joining = this._clusterSize === null && nowMs < this._startedMs + JOINING_MS;
    return joining ? Math.max(2, known) : known;
  }

  /** Until then nobody is connected, and somebody is likely to be soon; -Infinity when somebody is, or there is nobody. */
  get _joiningUntilMs() {
    return this.neighbourCount > 0 || this._clusterSize === 1 ? Number.NEGATIVE_INFINITY : this._startedMs + JOINING_MS;
  }

  // ---- in: the page ----

  /** Nobody sees it now, or somebody does again: a hidden page holds and sends less, and lets others fetch. @param {boolean} hidden @param {number} nowMs */
  visibilityChanged(hidden, nowMs) {
    this._hidden = hidden;
    this._uploads.limit(uploadAllowance(this._uploadBytesPerMs, hidden));
    this._neighbourhood.measured(this._uploads.uplinkBytesPerMs, nowMs);
    this._announcer.dropped(this._store.visibilityChanged(hidden));
    this._downloads.visibilityChanged(hidden, nowMs);
  }

  /**
   * Another cap from now on, as of another line. Neighbours are told where it makes us give or not: what we hold is ours alone then,
   * and what they wait for is refused.
   * @param {number} bytesPerMs  0 to upload nothing
   */
  limitUploads(bytesPerMs) {
    const { enabled } = this._uploads;
    this._uploadBytesPerMs = bytesPerMs;
    this._uploads.limit(uploadAllowance(bytesPerMs, this._hidden));
    if (this._uploads.enabled === enabled) return;
    if (enabled) this._withdraw();
    else {
      this._neighbourhood.uploads = true;
      for (const neighbour of this._neighbourhood.greeted)
        this._announcer.introduce(neighbour, this._store.refs(), this._downloads.running);
    }
  }

  _withdraw() {
    this._announcer.withdraw(this._store.refs(), this._downloads.running);
    this._neighbourhood.uploads = false;
    for (const [id, queue] of this._uploads.emptied()) {
      const neighbour = this._neighbourhood.get(id);
      for (const { ref, key } of neighbour ? queue.filter(firstOfSegment) : []) {
        const indexes = queue.filter((wanted) => wanted.key === key).map(({ index }) => index);
        this._refuse(/** @type {Neighbour} */ (neighbour), ref, indexes, REFUSED_NOT_UPLOADING);
      }
    }
  }

  // ---- in: the player ----

  /**
   * Wants a segment by a time; answered by one `deliver` or `fail`, and by `progress` on the way.
   * @param {SegmentSource} source
   * @param {number} deadlineMs  when the playhead reaches it
   * @param {number} nowMs
   * @returns {number} the request, for `cancel`
   */
  request(source, deadlineMs, nowMs) {
    this._reporter.asked(source.ref);
    return this._downloads.request(source, deadlineMs, nowMs);
  }

  /** @see Downloads.seed @param {SegmentSource} source @param {Uint8Array} bytes */
  seed(source, bytes) {
    this._downloads.seed(source, bytes);
  }

  /**
   * What has come of a segment that is still on its way, and is believed.
   * @param {SegmentRef} ref @param {number} fromPiece
   * @returns {Uint8Array[]} its pieces from that one on to the first that is missing; not to be written to
   */
  arrived(ref, fromPiece) {
    const segment = this._downloads.segment(refKey(ref));
    const pieces = [];
    for (let piece = segment?.piece(fromPiece); piece; piece = segment?.piece(fromPiece + pieces.length)) pieces.push(piece);
    return pieces;
  }

  /** @param {SegmentRef} ref @returns {boolean} whether a neighbour has it, or is getting it */
  coming(ref) {
    const key = refKey(ref);
    return this._neighbourhood.greeted.some((one) => one.holds(ref) || one.partial(ref) !== undefined || one.fetchesKey(key));
  }

  /** Whether only what is signed counts. */
  get signed() {
    return this._integrity.signed;
  }

  /** How the CDN was; 0 where that is not known. */
  get cdn() {
    return this._downloads.cdn;
  }

  /** The player needs it at another time. @param {number} request @param {number} deadlineMs @param {number} nowMs */
  hasten(request, deadlineMs, nowMs) {
    this._downloads.hasten(request, deadlineMs, nowMs);
  }

  /** The player no longer wants it. @param {number} request @param {number} nowMs */
  cancel(request, nowMs) {
    this._downloads.cancel(request, nowMs);
  }

  // ---- in: channels ----

  /** @param {number} id  the link's @param {boolean} offered  whether its offer was ours @param {number} nowMs */
  neighbourOpened(id, offered, nowMs) {
    const neighbour = this._neighbourhood.open(id, offered, nowMs);
    neighbour.proven = this._integrity.mode !== "spot";
    this._uploads.opened(id);
    this._announcer.introduce(neighbour, this._store.refs(), this._downloads.running);
  }

  /** By what it is connected; may change. @param {number} id @param {boolean} relayed  by a TURN server */
  neighbourRouted(id, relayed) {
    const neighbour = this._neighbourhood.get(id);
    if (!neighbour) return;
    this._neighbourhood.routed(neighbour, relayed);
    this._uploads.routed(id, relayed);
  }

  /** The tracker's cap of what is sent through its TURN servers. @param {number} bytesPerMs */
  limitRelayed(bytesPerMs) {
    this._uploads.relayBytesPerMs = bytesPerMs;
  }

  /** @param {number} id @param {number} nowMs */
  neighbourClosed(id, nowMs) {
    const neighbour = this._neighbourhood.close(id);
    this._uploads.closed(id);
    if (neighbour) this._downloads.neighbourGone(neighbour, nowMs);
  }

  /**
   * What a neighbour's bulk channel has not sent yet; told after every bulk send and when it has become little.
   * @param {number} id @param {number} bufferedBytes @param {number} nowMs
   */
  drained(id, bufferedBytes, nowMs) {
    this._uploads.drained(id, bufferedBytes, nowMs);
    this._neighbourhood.measured(this._uploads.uplinkBytesPerMs, nowMs);
    this._pump(nowMs);
  }

  /**
   * @param {number} id
   * @param {Uint8Array} bytes  one message, handed over: its payload is kept, not copied
   * @param {number} nowMs
   */
  frameReceived(id, bytes, nowMs) {
    const neighbour = this._neighbourhood.get(id);
    if (!neighbour) return;
    try {
      const frame = decodeFrame(bytes);
      if (frame) this._handle(neighbour, frame, nowMs);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this._drop(neighbour, error.message, nowMs);
    }
  }

  // ---- in: HTTP ----

  /**
   * The head of an answer came.
   * @param {number} job
   * @param {{ partial: boolean, sizeBytes: number | null }} head  whether it is the range that was asked for; how many bytes
   *   the body has, if the CDN said so
   * @param {number} nowMs
   */
  fetchStarted(job, head, nowMs) {
    this._downloads.fetchStarted(job, head, nowMs);
  }

  /** @param {number} job @param {Uint8Array} bytes @param {number} nowMs */
  fetchReceived(job, bytes, nowMs) {
    this._uploads.received(bytes.length);
    this._downloads.fetchReceived(job, bytes, nowMs);
    this._pump(nowMs);
  }

  /** The whole body came. @param {number} job @param {number} nowMs */
  fetchFinished(job, nowMs) {
    this._downloads.fetchFinished(job, nowMs);
  }

  /** @param {number} job @param {{ status: number, reason: string }} failure  status 0 without an answer @param {number} nowMs */
  fetchFailed(job, failure, nowMs) {
    this._downloads.fetchFailed(job, failure, nowMs);
  }

  // ---- in: checks ----

  /** @param {number} ticket @param {Uint8Array | null} hash  SHA-256 of what `hash` gave; null where it cannot be told @param {number} nowMs */
  hashed(ticket, hash, nowMs) {
    const download = this._integrity.hashed(ticket, hash, nowMs);
    if (download) this._downloads.checked(download, nowMs);
  }

  /** @param {number} ticket @param {number} status  of HTTP, 0 without an answer @param {Uint8Array} bytes  of the place `compare` asked about @param {number} nowMs */
  compared(ticket, status, bytes, nowMs) {
    this.ledger.cdnBytes += bytes.length;
    this._integrity.compared(ticket, status, bytes, nowMs);
  }

  /** @param {number} ticket @param {boolean | null} genuine  whether what `verify` gave was signed by its key; null where it cannot be told @param {number} nowMs */
  verified(ticket, genuine, nowMs) {
    this._digests.verified(ticket, genuine, nowMs);
  }

  /** @param {number} ticket @param {number} status  of HTTP, 0 without an answer @param {Uint8Array} record @param {number} nowMs */
  digestFetched(ticket, status, record, nowMs) {
    this._digests.fetched(ticket, status, record, nowMs);
  }

  // ---- in: time ----

  /** @param {number} nowMs */
  timerFired(nowMs) {
    for (const silent of this._neighbourhood.timerFired(nowMs)) this._drop(silent, "no HELLO", nowMs);
    const useless = this._neighbourhood.review(nowMs);
    if (useless) this._drop(useless, "of no use, in the place of another", nowMs);
    this._announcer.timerFired(nowMs);
    this._downloads.timerFired(nowMs);
    this._pump(nowMs);
  }

  // ---- inside ----

  /** @param {Neighbour} neighbour @param {Frame} frame @param {number} nowMs */
  _handle(neighbour, frame, nowMs) {
    if (neighbour.session === null && frame.type !== FRAME.HELLO) throw new WireError("first frame is not HELLO");
    switch (frame.type) {
      case FRAME.HELLO: {
        const redundant = this._neighbourhood.greetedBy(neighbour, frame);
        if (!neighbour.uploads) this._uploads.weigh(neighbour.id, 0);
        if (redundant) this._drop(redundant, "second connection to the same peer", nowMs);
        break;
      }
      case FRAME.HAVE:
        neighbour.uploads = true; // who does not says nothing of it
        neighbour.have(frame.group, frame.ranges);
        for (const download of this._downloads.running) {
          if (neighbour.holds(download.ref)) this._downloads.reconsider(download.ref, nowMs);
        }
        if (frame.ranges.length === 1 && frame.ranges[0][1] === 1)
          this._downloads.offered({ ...frame.group, number: frame.ranges[0][0] }, nowMs);
        break;
      case FRAME.DROP:
        neighbour.dropped(frame.group, frame.ranges);
        this._announcer.remind(neighbour, frame, this._store.refs());
        break;
      case FRAME.CLAIM:
        if (frame.claimant === this._neighbourhood.session) break; // our own, come round
        neighbour.uploads = true;
        neighbour.claimed(frame.ref, nowMs, frame.claimant === neighbour.session);
        if (neighbour.far) break; // its cluster's affair
        this._announcer.passOn(neighbour, frame, nowMs);
        this._downloads.claimHeard(frame, nowMs);
        break;
      case FRAME.ABANDON:
        neighbour.abandoned(frame.ref);
        this._downloads.reconsider(frame.ref, nowMs);
        break;
      case FRAME.PROGRESS:
        neighbour.uploads = true;
        neighbour.progressed(frame.ref, frame.sizeBytes, frame.ranges, nowMs);
        this._downloads.offered(frame.ref, nowMs);
        break;
      case FRAME.PIECE:
        this._uploads.received(frame.payload.length);
        this._downloads.pieceReceived(neighbour, frame, nowMs);
        this._pump(nowMs);
        break;
      case FRAME.REFUSE:
        this._downloads.refused(neighbour, frame, nowMs);
        break;
      case FRAME.DIGEST:
        this._digests.received(neighbour, frame.record, (ref) => this._downloads.lacksDigest(ref));
        break;
      case FRAME.PING:
      case FRAME.PONG:
        this._neighbourhood.pinged(neighbour, frame, nowMs);
        break;
      case FRAME.STATUS:
        neighbour.uplinkBytesPerMs = frame.uplinkBytesPerMs;
        this._uploads.weigh(neighbour.id, neighbour.uploads ? frame.uplinkBytesPerMs : 0);
        break;
      case FRAME.PLACE:
        this._neighbourhood.neighbourPlaced(neighbour, frame.cells);
        this._downloads.reconsiderAll(nowMs);
        break;
      case FRAME.RENAME:
        neighbour.peer = frame.peer;
        this._outbox.push({ type: "renamed", neighbour: neighbour.id, peer: frame.peer });
        break;
      default:
        this._serve(neighbour, frame, nowMs);
    }
  }

  /** REQUEST and CANCEL. @param {Neighbour} neighbour @param {import("./wire.js").RequestFrame} frame @param {number} nowMs */
  _serve(neighbour, { type, ref, ranges }, nowMs) {
    const indexes = new RangeSet(ranges);
    if (type === FRAME.CANCEL) {
      this._refuse(neighbour, ref, this._uploads.cancelled(neighbour.id, ref, new Set(indexes.values())), REFUSED_CANCELLED);
      return;
    }
    const segment = this._store.use(ref) ?? this._downloads.segment(refKey(ref));
    const coming = this._downloads.fetching(refKey(ref));
    if (segment && this._integrity.signed && this._uploads.enabled) this._giveDigest(neighbour, segment, coming, nowMs);
    const held = [];
    const missing = [];
    for (const index of indexes.values()) {
      if (segment?.has(index) || (coming && index < (segment?.pieceCount ?? Number.POSITIVE_INFINITY))) held.push(index);
      else if (!segment?.pieceCount || index < segment.pieceCount) missing.push(index);
    }
    const busy = this._uploads.enabled ? this._uploads.asked(neighbour.id, ref, held) : held;
    this._refuse(neighbour, ref, missing, REFUSED_NOT_HELD);
    this._refuse(neighbour, ref, busy, this._uploads.enabled ? REFUSED_BUSY : REFUSED_NOT_UPLOADING);
    this._pump(nowMs);
  }

  /** Who asks for pieces needs to know what they must be. @param {Neighbour} neighbour @param {import("./segment.js").Segment} segment @param {boolean} coming  from the CDN @param {number} nowMs */
  _giveDigest(neighbour, { ref, digest, source, complete }, coming, nowMs) {
    this._digests.wantedBy(neighbour, ref, digest);
    if (!digest && source && (complete || coming)) this._digests.seek(source, nowMs);
  }

  /** @param {Neighbour} neighbour @param {SegmentRef} ref @param {number[]} indexes @param {number} reason */
  _refuse(neighbour, ref, indexes, reason) {
    if (indexes.length === 0) return;
    this._neighbourhood.send(neighbour, { type: FRAME.REFUSE, ref, reason, ranges: RangeSet.of(indexes).ranges() });
  }

  /** @returns {import("./uploads.js").Holdings} */
  _holdings() {
    return {
      find: ({ ref, key }) => this._store.use(ref) ?? this._downloads.segment(key),
      copies: (key, index) => {
        let copies = 0;
        for (const neighbour of this._neighbourhood.greeted) if (neighbour.partialOf(key)?.pieces.has(index)) copies++;
        return copies;
      },
    };
  }

  /** Sends what was asked for, as far as channels and cap allow. @param {number} nowMs */
  _pump(nowMs) {
    for (;;) {
      const upload = this._uploads.next(nowMs);
      if (!upload) return;
      const { segment, index } = upload;
      const neighbour = this._neighbourhood.get(upload.neighbour);
      const payload = segment.piece(index);
      if (!neighbour || !payload || segment.sizeBytes === null) continue;
      this._neighbourhood.send(neighbour, { type: FRAME.PIECE, ref: segment.ref, sizeBytes: segment.sizeBytes, index, payload });
      neighbour.movedBytes += payload.length;
      neighbour.sentBytes += payload.length;
      this.ledger.sentBytes += payload.length;
    }
  }

  /** It sent what is not what it says. @param {Neighbour} neighbour @param {string} reason @param {number} nowMs */
  _banish(neighbour, reason, nowMs) {
    if (this._neighbourhood.get(neighbour.id) !== neighbour) return; // for another piece, a moment ago
    this._neighbourhood.ban(neighbour, this._integrity.signed); // who checks what it passes on knows what it sends
    this._downloads.distrust(neighbour);
    this._drop(neighbour, reason, nowMs);
  }

  /** @param {Neighbour} neighbour @param {string} reason @param {number} nowMs */
  _drop(neighbour, reason, nowMs) {
    this._neighbourhood.drop(neighbour, reason);
    this.neighbourClosed(neighbour.id, nowMs);
  }
}

/** @param {{ key: string }} wanted @param {number} at @param {{ key: string }[]} queue */
const firstOfSegment = ({ key }, at, queue) => queue.findIndex((wanted) => wanted.key === key) === at;

/** Draws nothing. */
const never = () => 1;
