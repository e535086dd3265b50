import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../../../static/js/core/outbox.js";
import { Average } from "../../../static/js/core/rates.js";
import { Requests } from "../../../static/js/core/requests.js";
import { Segment } from "../../../static/js/core/segment.js";

const SIZE_BYTES = 20_000;

/** @param {number | null} cdnBytesPerMs  as measured, or null */
function timingOfHeld(cdnBytesPerMs) {
  const outbox = new Outbox();
  const cdn = { firstByteMs: new Average(100), rateBytesPerMs: new Average(1000) };
  if (cdnBytesPerMs !== null) cdn.rateBytesPerMs.add(cdnBytesPerMs);
  const segment = new Segment({ track: "08edb3d440f8a257", kind: 0, discontinuity: 0, number: 7 }, SIZE_BYTES);
  segment.put(0, new Uint8Array(SIZE_BYTES), "peer");
  new Requests(outbox, cdn, () => {}).answer(segment, 5000);
  const [command] = outbox.take();
  assert.equal(command?.type, "deliver");
  return command?.type === "deliver" ? command.timing : assert.fail();
}

test("a delivery is told no slower than the CDN was measured to be", () => {
  const { firstByteMs, endMs } = timingOfHeld(4000);
  assert.equal(endMs - firstByteMs, SIZE_BYTES / 4000);
});

test("a delivery keeps its own pace where that is higher, or the CDN's is not known", () => {
  const own = timingOfHeld(null);
  assert.deepEqual(timingOfHeld(1), own);
  assert.ok(own.endMs > own.firstByteMs);
});
