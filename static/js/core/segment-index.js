/** The segment index of an ISO media file: `sidx` of ISO/IEC 14496-12, section 8.16.3. */

/**
 * A media segment within its file.
 * @typedef {object} IndexedSegment
 * @property {number} number  its place, from 0
 * @property {number} rangeStart  first byte
 * @property {number} rangeEnd  exclusive
 * @property {number} durationSec
 */

const SIDX = 0x73696478;

/**
 * @param {ArrayBuffer} bytes  that begin with the box, or with others before it
 * @param {number} offset  of the first byte within the file
 * @returns {IndexedSegment[]} none where there is no whole `sidx`, or one that leads to others
 */
export function parseSegmentIndex(bytes, offset) {
  const view = new DataView(bytes);
  for (let start = 0, sizeBytes; start + 32 <= bytes.byteLength; start += sizeBytes) {
    sizeBytes = view.getUint32(start);
    if (sizeBytes < 8) return [];
    if (view.getUint32(start + 4) === SIDX)
      return start + sizeBytes <= bytes.byteLength
        ? segmentsOf(new DataView(bytes, start, sizeBytes), offset + start + sizeBytes)
        : [];
  }
  return [];
}

/** @param {DataView} box @param {number} boxEnd  within the file, exclusive @returns {IndexedSegment[]} */
function segmentsOf(box, boxEnd) {
  // Version 1 has times and offsets of 64 bits.
  const wide = box.getUint8(8) > 0;
  const timescale = box.getUint32(16);
  const head = wide ? 40 : 32;
  if (timescale === 0 || box.byteLength < head) return [];
  let rangeStart = boxEnd + (wide ? Number(box.getBigUint64(28)) : box.getUint32(24));
  const count = box.getUint16(head - 2);
  if (box.byteLength < head + 12 * count) return [];
  /** @type {IndexedSegment[]} */
  const segments = [];
  for (let number = 0; number < count; number++) {
    const reference = box.getUint32(head + 12 * number);
    if (reference >>> 31) return []; // to another index
    const rangeEnd = rangeStart + reference;
    segments.push({ number, rangeStart, rangeEnd, durationSec: box.getUint32(head + 12 * number + 4) / timescale });
    rangeStart = rangeEnd;
  }
  return segments;
}
