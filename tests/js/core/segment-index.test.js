import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseSegmentIndex } from "../../../static/js/core/segment-index.js";

/** @param {{ version?: number, references: [sizeBytes: number, ticks: number][], firstOffset?: number, toIndex?: boolean }} box */
function sidx({ version = 0, references, firstOffset = 0, toIndex = false }) {
  const head = version ? 40 : 32;
  const view = new DataView(new ArrayBuffer(head + 12 * references.length));
  view.setUint32(0, view.byteLength);
  view.setUint32(4, 0x73696478);
  view.setUint8(8, version);
  view.setUint32(16, 1000);
  if (version) view.setBigUint64(28, BigInt(firstOffset));
  else view.setUint32(24, firstOffset);
  view.setUint16(head - 2, references.length);
  for (const [index, [sizeBytes, ticks]] of references.entries()) {
    view.setUint32(head + 12 * index, (toIndex ? 2 ** 31 : 0) + sizeBytes);
    view.setUint32(head + 12 * index + 4, ticks);
  }
  return view.buffer;
}

for (const version of [0, 1])
  test(`segments follow each other from the end of an index of version ${version}`, () => {
    const bytes = sidx({
      version,
      references: [
        [100, 2000],
        [50, 1500],
      ],
      firstOffset: 6,
    });
    const start = 800 + bytes.byteLength + 6;
    assert.deepEqual(parseSegmentIndex(bytes, 800), [
      { number: 0, rangeStart: start, rangeEnd: start + 100, durationSec: 2 },
      { number: 1, rangeStart: start + 100, rangeEnd: start + 150, durationSec: 1.5 },
    ]);
  });

test("boxes before the index are passed over", () => {
  const index = new Uint8Array(sidx({ references: [[100, 2000]] }));
  const bytes = new Uint8Array(16 + index.length);
  bytes.set([0, 0, 0, 16, 0x66, 0x72, 0x65, 0x65]);
  bytes.set(index, 16);
  assert.equal(parseSegmentIndex(bytes.buffer, 0)[0]?.rangeStart, bytes.length);
});

test("an index of indexes, one that is cut off and arbitrary bytes tell no segments", () => {
  assert.deepEqual(parseSegmentIndex(sidx({ references: [[100, 2000]], toIndex: true }), 0), []);
  assert.deepEqual(
    parseSegmentIndex(
      sidx({
        references: [
          [100, 2000],
          [1, 1],
        ],
      }).slice(0, 50),
      0,
    ),
    [],
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => Array.isArray(parseSegmentIndex(bytes.slice().buffer, 0))));
});
