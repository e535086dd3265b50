/** A viewer's page without the library: what its player asks for is fetched, and that is all. The twin to compare with. */

import { Downlink } from "./links.js";

/** @typedef {import("./world.js").World} World */
/** @typedef {import("./cdn.js").Transfer} Transfer */
/** @typedef {import("../../static/js/core/download.js").SegmentSource} SegmentSource */

export class PlainPeer {
  /** @param {World} world @param {number} index @param {import("./peer.js").PeerShape} shape */
  constructor(world, index, { downlinkBps = Number.POSITIVE_INFINITY, cdnBps = 20e6, cdnMs = 20 }) {
    this.world = world;
    this.index = index;
    this.cdnBytesPerMs = cdnBps / 8000;
    this.cdnMs = cdnMs;
    this.downlink = new Downlink(world.clock, downlinkBps / 8000);
    this.joinedMs = world.clock.nowMs;
    this.leftMs = Number.POSITIVE_INFINITY;
    this.gone = false;
    this.stalls = 0;
    /** @type {Map<number, Transfer>} by request */
    this._transfers = new Map();
    this._nextRequest = 1;
  }

  /** @param {SegmentSource} source @param {number} _deadlineMs @param {import("./peer.js").RequestEvents} events @returns {number} */
  request(source, _deadlineMs, events) {
    const { clock, cdn } = this.world;
    const request = this._nextRequest++;
    const startMs = clock.nowMs;
    let firstByteMs = startMs;
    const transfer = cdn.fetch(this, source.url, 0, null, {
      started: () => {
        firstByteMs = clock.nowMs;
      },
      received: () => {},
      finished: () => {
        this._transfers.delete(request);
        events.delivered(cdn.resource(source.url), { startMs, firstByteMs, endMs: clock.nowMs }, 0);
      },
      failed: (status) => {
        this._transfers.delete(request);
        events.failed(status);
      },
    });
    this._transfers.set(request, transfer);
    return request;
  }

  hasten() {}

  /** @param {number} request */
  cancel(request) {
    this._transfers.get(request)?.abort();
    this._transfers.delete(request);
  }

  leave() {
    this.gone = true;
    this.leftMs = this.world.clock.nowMs;
    for (const transfer of this._transfers.values()) transfer.abort();
  }

  vanish() {
    this.leave();
  }
}
