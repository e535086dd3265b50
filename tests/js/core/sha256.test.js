import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hex } from "../../../static/js/core/identity.js";
import { sha256 } from "../../../static/js/core/sha256.js";

test("sha256 agrees with the platform's at every padding boundary", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000]) {
    const text = "é".repeat(length % 7) + "a".repeat(length);
    assert.equal(hex(sha256(text)), createHash("sha256").update(text).digest("hex"), `length ${length}`);
  }
});
