import assert from "node:assert/strict";
import { test } from "node:test";
import { unhex } from "../../static/js/core/identity.js";
import * as fallback from "../../static/js/crypto.js";
import { Checker } from "../../static/js/io/checker.js";
import { vectorBytes } from "./records.js";
import { vectors } from "./vectors.js";

const frozen = vectors("digests");

/** @param {import("../../static/js/core/outbox.js").CheckCommand} command @returns {Promise<Uint8Array | boolean | null>} what the shipped checker finds with crypto.subtle */
function native(command) {
  return new Promise((resolve) => {
    const told = (/** @type {number} */ _ticket, /** @type {Uint8Array | boolean | null} */ found) => resolve(found);
    new Checker("wss://tracker.example/signal", {
      hashed: told,
      verified: told,
      digestFetched: () => {},
      compared: () => {},
    }).check(command);
  });
}

test("both kinds of cryptography find the frozen signatures genuine, and changed ones not", async () => {
  const key = frozen.key.public;
  for (const { name, signed, signature } of frozen.valid) {
    const [message, mark] = [unhex(signed), unhex(signature)];
    const wrong = message.slice();
    wrong[20] = /** @type {number} */ (wrong[20]) ^ 1;
    for (const [text, genuine] of /** @type {const} */ ([
      [message, true],
      [wrong, false],
    ])) {
      assert.equal(await fallback.verify(key, text, mark), genuine, name);
      assert.equal(
        await native({ type: "verify", ticket: 1, key: frozen.key.public, signed: text, signature: mark }),
        genuine,
        name,
      );
    }
    assert.equal(await fallback.verify(frozen.other_key.public, message, mark), false, name);
  }
});

test("both hash alike", async () => {
  const bytes = vectorBytes(40_000);
  assert.deepEqual(await fallback.sha256(bytes), await native({ type: "hash", ticket: 1, bytes }));
});

test("a key that is none is not believed, and breaks nothing", async () => {
  const [{ signed, signature }] = frozen.valid;
  const command = { key: `04${"00".repeat(64)}`, signed: unhex(signed), signature: unhex(signature) };
  assert.equal(await native({ type: "verify", ticket: 1, ...command }), null);
});
