// One page of a crowd, for bench/crowd.py, which bundles this: viewers that load a live stream as hls.js does and decode
// nothing. Each has its own session, engine, segment table and playhead; only the screen is missing.
import { SegmentTable } from "../../static/js/core/manifests.js";
import { Engine } from "../../static/js/engine.js";

const START_TARGETS = 3; // hls.js's liveSyncDurationCount
const BUFFER_MAX_SEC = 30; // hls.js's maxBufferLength
const RETRY_MS = 1000; // hls.js's first wait before a fragment is tried again
const STALL_MIN_MS = 50; // a media element's data for the next few frames hides less

const now = () => performance.now();
const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

// A media element that only knows the time. Positions are seconds since the epoch, by the playlist's program dates.
class Media {
  constructor() {
    this.bufferedEnd = 0;
    this.started = false;
    this.stalls = 0;
    this.stalledMs = 0;
    this._from = 0;
    this._fromMs = 0;
  }

  get position() {
    return Math.min(this.bufferedEnd, this._from + (now() - this._fromMs) / 1000);
  }

  // By how much the playhead has stood at the end of the buffer.
  get dryMs() {
    return this.started ? Math.max(0, now() - this._fromMs - (this.bufferedEnd - this._from) * 1000) : 0;
  }

  append(start, end) {
    const { dryMs } = this;
    const isGap = this.started && start > this.bufferedEnd + 0.1;
    if (dryMs >= STALL_MIN_MS || isGap) {
      this.stalls += 1;
      this.stalledMs += dryMs;
    }
    if (!this.started || dryMs > 0 || isGap) {
      this._from = this.started && !isGap ? this.bufferedEnd : start;
      this._fromMs = now();
      this.started = true;
    }
    this.bufferedEnd = end;
  }
}

// The lines of a media playlist that the synthetic stream writes.
function parsePlaylist(text, url) {
  const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(text)?.[1]);
  const targetSec = Number(/#EXT-X-TARGETDURATION:(\d+)/.exec(text)?.[1]);
  let start = Date.parse(/#EXT-X-PROGRAM-DATE-TIME:(\S+)/.exec(text)?.[1]) / 1000;
  const segments = [];
  for (const [, duration, uri] of text.matchAll(/#EXTINF:([\d.]+),[^\n]*\n(\S+)/g)) {
    const end = start + Number(duration);
    segments.push({ number: first + segments.length, url: new URL(uri, url).href, start, end });
    start = end;
  }
  return { targetSec, segments };
}

class Viewer {
  constructor({ name, src, engineOptions, content, isPlain, hashEvery, index }) {
    Object.assign(this, { name, src, engineOptions, content, isPlain, hashEvery, index });
    this.media = new Media();
    this.table = new SegmentTable();
    this.engine = null;
    this.joinedMs = now();
    this.startupMs = null;
    this.failures = 0;
    this.deliveries = []; // [number, sizeBytes, peerBytes, tookMs, latencySec]
    this.hashes = []; // promises of [path, sha256]
    this._listed = [];
    this._wanted = null; // number of the next segment
    this._loading = null;
    this._dueMs = this.joinedMs;
    this._dry = 0;
    this._refresh();
  }

  async _refresh() {
    let isUpdated = false;
    let targetSec = 2;
    try {
      const response = await fetch(this.src);
      if (!response.ok) throw new Error(`playlist: ${response.status}`);
      const text = await response.text();
      const playlist = parsePlaylist(text, response.url);
      isUpdated = playlist.segments.at(-1).number !== this._listed.at(-1)?.number;
      this._listed = playlist.segments;
      targetSec = playlist.targetSec;
      if (!this.isPlain) this._observe(text, response.url);
    } catch {
      this.failures += 1;
    }
    // When hls.js reloads: a target duration after the last was due, half of it when nothing was new.
    const intervalMs = targetSec * (isUpdated ? 1000 : 500);
    if (this._dueMs + intervalMs < now()) this._dueMs = now();
    else if (this._dueMs <= now()) this._dueMs += intervalMs;
    setTimeout(() => this._refresh(), Math.max(0, this._dueMs - now()));
    this._wanted ??= this._listed.at(-START_TARGETS)?.number ?? null;
    this._loadNext();
  }

  _observe(text, url) {
    this.table.observe(this.src, url, text);
    const session = hex(crypto.getRandomValues(new Uint8Array(8)));
    this.engine ??= new Engine(this.content, { ...this.engineOptions, session });
  }

  _loadNext() {
    if (this._loading || this._wanted === null) return;
    if (this.media.bufferedEnd - this.media.position >= BUFFER_MAX_SEC) return;
    this._wanted = Math.max(this._wanted, this._listed[0].number); // what has left the playlist is skipped
    const segment = this._listed[this._wanted - this._listed[0].number];
    if (!segment) return;
    this._loading = { segment, startMs: now(), request: 0 };
    const source = this.isPlain ? null : this.table.find(segment.url, null, null);
    if (source && !this.engine.broken) this._request(source);
    else this._fetch();
  }

  get _deadlineMs() {
    const { media, _loading: loading } = this;
    if (!media.started || media.dryMs > 0) return now();
    return now() + Math.max(0, loading.segment.start - media.position) * 1000;
  }

  _request(source) {
    this._loading.request = this.engine.request(source, this._deadlineMs, {
      progressed: () => {},
      delivered: (bytes, _timing, peerBytes) => this._delivered(bytes, peerBytes),
      failed: () => this._failed(),
      refused: () => this._fetch(),
    });
  }

  async _fetch() {
    try {
      const response = await fetch(this._loading.segment.url);
      if (!response.ok) throw new Error(`segment: ${response.status}`);
      this._delivered(await response.arrayBuffer(), 0);
    } catch {
      this._failed();
    }
  }

  _failed() {
    this.failures += 1;
    setTimeout(() => {
      this._loading = null;
      this._loadNext();
    }, RETRY_MS);
  }

  _delivered(bytes, peerBytes) {
    const { segment, startMs } = this._loading;
    this._loading = null;
    this._wanted = segment.number + 1;
    this.startupMs ??= now() - this.joinedMs;
    this.media.append(segment.start, segment.end);
    const latencySec = Date.now() / 1000 - this.media.position;
    this.deliveries.push([segment.number, bytes.byteLength, peerBytes, now() - startMs, latencySec]);
    if ((segment.number + this.index) % this.hashEvery === 0) {
      const path = new URL(segment.url).pathname;
      this.hashes.push(crypto.subtle.digest("SHA-256", bytes).then((digest) => [path, hex(digest)]));
    }
    clearTimeout(this._dry);
    this._dry = setTimeout(() => this._ranDry(), (this.media.bufferedEnd - this.media.position) * 1000);
    this._loadNext();
  }

  // As a media element's "waiting" does with hls.js.
  _ranDry() {
    this.engine?.stalled();
    if (this._loading?.request) this.engine.hasten(this._loading.request, now());
  }

  async report() {
    const { media, engine, name, startupMs, failures, deliveries } = this;
    const isDry = media.dryMs >= STALL_MIN_MS;
    const stats = engine?.stats() ?? null;
    return {
      name,
      startupMs,
      failures,
      deliveries,
      stalls: media.stalls + (isDry ? 1 : 0),
      stalledMs: media.stalledMs + (isDry ? media.dryMs : 0),
      neighbours: stats?.neighbours ?? 0,
      bytes: stats?.bytes ?? null,
      isBroken: engine?.broken ?? false,
      hashes: await Promise.all(this.hashes),
    };
  }
}

const viewers = [];
const longTasks = []; // [startedAt, durationMs], started by the clock of the epoch
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) longTasks.push([performance.timeOrigin + startTime, duration]);
}).observe({ type: "longtask", buffered: true });

window.crowd = {
  // Viewers join after their `delayMs`, in the page's own time.
  join(list) {
    for (const options of list) setTimeout(() => viewers.push(new Viewer(options)), options.delayMs);
  },
  started: () => viewers.filter(({ startupMs }) => startupMs !== null).length,
  report: async () => ({ viewers: await Promise.all(viewers.map((viewer) => viewer.report())), longTasks }),
};
