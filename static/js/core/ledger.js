/** Where bytes came from and went to, since the page loaded. */
export class Ledger {
  constructor() {
    /** Payload neighbours sent that was new to us. */
    this.peerBytes = 0;
    /** Of that, from outside our cluster. */
    this.farBytes = 0;
    /** Of what neighbours sent, what a TURN server carried: its operator pays for that. */
    this.relayedBytes = 0;
    /** Bodies from the CDN, useful or not. */
    this.cdnBytes = 0;
    /** Payload sent to neighbours. */
    this.sentBytes = 0;
    /** Received from either and not used: raced pieces, overlaps of peers and CDN. Part of the sums above only where the CDN sent it. */
    this.wastedBytes = 0;
    /** What neighbours sent and was not the segment's. */
    this.rejectedBytes = 0;
    /** Deliveries by where the bytes came from. */
    this.segmentsFromPeers = 0;
    this.segmentsFromCdn = 0;
    this.segmentsMixed = 0;
  }

  /** @param {number} sizeBytes @param {number} peerBytes  of one segment that became whole */
  finished(sizeBytes, peerBytes) {
    if (peerBytes === 0) this.segmentsFromCdn++;
    else if (peerBytes === sizeBytes) this.segmentsFromPeers++;
    else this.segmentsMixed++;
  }
}
