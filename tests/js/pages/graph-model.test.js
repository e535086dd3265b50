import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOf } from "../../../static/js/pages/graph-model.js";

const peer = { peer: "0123456789abcdef0123", far: false, downBytes: 0, upBytes: 0 };

test("who has no neighbours is drawn with the CDN alone", () => {
  const { nodes, links, words } = graphOf({ peers: [], bytes: { fromCdn: 0 } });
  assert.deepEqual(
    nodes.map(({ id }) => id),
    ["self", "cdn"],
  );
  assert.deepEqual(links, [{ from: "self", to: "cdn", kind: "cdn", width: 1 }]);
  assert.equal(words, "No neighbours");
});

test("neighbours are drawn near or far, and lines are thicker the more has passed", () => {
  const far = { ...peer, peer: "f".repeat(20), far: true, downBytes: 9e6, upBytes: 1e6 };
  const { nodes, links, words } = graphOf({ peers: [peer, far], bytes: { fromCdn: 1e6 } });
  assert.deepEqual(
    nodes.map(({ kind, label }) => [kind, label]),
    [
      ["self", "you"],
      ["cdn", "CDN"],
      ["near", "0123"],
      ["far", "ffff"],
    ],
  );
  const [cdn, idle, busy] = links.map(({ width }) => width);
  assert.ok(/** @type {number} */ (busy) > /** @type {number} */ (cdn) && idle === 1);
  assert.match(words, /^2 neighbours\. Neighbour 01234567: .*\. Neighbour ffffffff, far: 9\.0 MB from it, 1\.0 MB to it$/);
});

test("a neighbour in two streams of one page is one", () => {
  const { nodes, words } = graphOf({ peers: [peer, { ...peer }], bytes: { fromCdn: 0 } });
  assert.equal(nodes.length, 3);
  assert.match(words, /^1 neighbour\. /);
});
