import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { PIECE_BYTES } from "../../../static/js/core/constants.js";
import { Digest } from "../../../static/js/core/digest.js";
import { hex, unhex } from "../../../static/js/core/identity.js";
import { WireError } from "../../../static/js/core/wire.js";
import { vectorBytes } from "../records.js";
import { vectors } from "../vectors.js";

const frozen = vectors("digests");

test("records are read as frozen: what they name, what was signed, by whom", () => {
  for (const { name, record, content, ref, key_id, signed, signature, size_bytes } of frozen.valid) {
    const digest = new Digest(unhex(record));
    assert.deepEqual(
      [digest.content, digest.ref, digest.keyId, hex(digest.signed), hex(digest.signature), digest.sizeBytes],
      [content, ref, key_id, signed, signature, size_bytes],
      name,
    );
  }
});

test("a piece matches its own hash, and no other place's", () => {
  for (const { name, record, size_bytes } of frozen.valid) {
    const digest = new Digest(unhex(record));
    const bytes = vectorBytes(size_bytes);
    const count = Math.ceil(size_bytes / PIECE_BYTES);
    for (let index = 0; index < count; index++) {
      const piece = bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
      const hash = createHash("sha256").update(piece).digest();
      assert.ok(digest.matches(index, hash), name);
      assert.ok(!digest.matches(count, hash), name);
      hash[31] = /** @type {number} */ (hash[31]) ^ 1;
      assert.ok(!digest.matches(index, hash), name);
      assert.ok(!digest.matches(index, hash.subarray(0, 0)), name);
    }
  }
});

test("what is no record is refused", () => {
  for (const { name, record } of frozen.malformed) assert.throws(() => new Digest(unhex(record)), WireError, name);
});

test("arbitrary bytes are a record or a WireError: never anything else", () => {
  const start = unhex(frozen.valid[0].record).subarray(0, 40);
  fc.assert(
    fc.property(fc.nat(40), fc.uint8Array({ maxLength: 200 }), (kept, rest) => {
      try {
        new Digest(Uint8Array.from([...start.subarray(0, kept), ...rest]));
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
