import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { hex, unhex } from "../../../static/js/core/identity.js";
import { decodeFrame, encodeFrame, FRAME, pieceLength, WireError } from "../../../static/js/core/wire.js";
import { vectors } from "../vectors.js";

/** @typedef {import("../../../static/js/core/wire.js").Frame} Frame */

const frozen = vectors("frames");

/** @param {any} fields @returns {Frame} a vector's fields, payload as bytes */
function frameOf(fields) {
  return "payload" in fields ? { ...fields, payload: unhex(fields.payload) } : fields;
}

test("frames are the frozen ones, both ways", () => {
  for (const { name, frame, bytes } of frozen.valid) {
    assert.equal(hex(encodeFrame(frameOf(frame))), bytes, name);
    assert.deepEqual(decodeFrame(unhex(bytes)), frameOf(frame), name);
  }
});

test("what is out of bounds is refused while it is parsed", () => {
  for (const { name, bytes } of frozen.invalid) assert.throws(() => decodeFrame(unhex(bytes)), WireError, name);
});

test("a frame of a later version is ignored", () => {
  assert.equal(decodeFrame(Uint8Array.of(60, 1, 2, 3)), null);
});

test("arbitrary bytes are a frame, unknown, or a WireError: never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 15 }), (bytes, type) => {
      const message = Uint8Array.of(type, ...bytes);
      try {
        decodeFrame(message);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

const number = fc.maxSafeNat();
/** @template T @param {{ [K in keyof T]: fc.Arbitrary<T[K]> }} model */
const record = (model) => fc.record(model, { noNullPrototype: true });
const ref = record({
  track: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(hex),
  kind: fc.nat(255),
  discontinuity: number,
  number,
});
const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 })), { maxLength: 20 })
  .map((gaps) => {
    let end = -1;
    return gaps.map(([gap, count]) => {
      const first = end + gap;
      end = first + count;
      return /** @type {[number, number]} */ ([first, count]);
    });
  });

test("every frame comes back as it was", () => {
  const sizeBytes = 3 * PIECE_BYTES + 17;
  const frames = fc.oneof(
    record({ type: fc.constantFrom(FRAME.HAVE, FRAME.DROP), group: ref.map(({ number: _, ...group }) => group), ranges }),
    record({ type: fc.constant(FRAME.CLAIM), ref, hops: fc.nat(5), claimant: ref.map(({ track }) => track) }),
    record({ type: fc.constant(FRAME.STATUS), uplinkBytesPerMs: fc.nat() }),
    record({ type: fc.constant(FRAME.PLACE), cells: fc.array(fc.nat(2 ** 32 - 1), { maxLength: 8 }) }),
    record({ type: fc.constant(FRAME.ABANDON), ref }),
    record({ type: fc.constant(FRAME.PROGRESS), ref, sizeBytes: fc.integer({ min: 1, max: 64 * 2 ** 20 }), ranges }),
    record({ type: fc.constantFrom(FRAME.REQUEST, FRAME.CANCEL), ref, ranges }),
    record({ type: fc.constant(FRAME.REFUSE), ref, reason: fc.nat(9), ranges }),
    fc.integer({ min: 0, max: 3 }).chain((index) =>
      record({
        type: fc.constant(FRAME.PIECE),
        ref,
        sizeBytes: fc.constant(sizeBytes),
        index: fc.constant(index),
        payload: fc.constant(new Uint8Array(pieceLength(sizeBytes, index)).fill(index)),
      }),
    ),
  );
  fc.assert(fc.property(frames, (frame) => assert.deepEqual(decodeFrame(encodeFrame(/** @type {Frame} */ (frame))), frame)));
});
