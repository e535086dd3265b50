import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { recordOf, TEST_KEY, vectorBytes } from "./records.js";
import { vectors } from "./vectors.js";

/** @param {Buffer} signed @param {Buffer} signature */
function signedByTestKey(signed, signature) {
  const key = createPublicKey(TEST_KEY.private_pem);
  return verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature);
}

test("node makes the frozen records up to the signature, which no two are equal in, and agrees that both are valid", () => {
  for (const { ref, content, size_bytes: sizeBytes, signed, signature, record } of vectors("digests").valid) {
    const made = Buffer.from(recordOf(content, ref, vectorBytes(sizeBytes)));
    const frozen = Buffer.from(record, "hex");
    assert.deepEqual(made.subarray(0, -64), frozen.subarray(0, -64));
    assert.ok(signedByTestKey(Buffer.from(signed, "hex"), Buffer.from(signature, "hex")));
    assert.ok(signedByTestKey(Buffer.from(signed, "hex"), made.subarray(-64)));
  }
});
