import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceMemoryGib, pageHidden, watchPage } from "../../../static/js/io/page-lifecycle.js";
import { withPage } from "../page.js";

test("a page tells when it is hidden, frozen or put away, and when it comes back", async () => {
  await withPage(({ hide, tell, tellDocument }) => {
    /** @type {unknown[]} */
    const heard = [];
    watchPage({
      visibilityChanged: (hidden) => heard.push(hidden),
      suspended: () => heard.push("suspended"),
      resumed: () => heard.push("resumed"),
    });
    hide(true);
    tellDocument("freeze");
    tellDocument("resume");
    hide(false);
    tell("pagehide");
    tell("pageshow");
    assert.deepEqual(heard, [true, "suspended", "resumed", false, "suspended", "resumed"]);
  });
});

test("without a page nothing is hidden, nothing is told and nothing fails", () => {
  watchPage({ visibilityChanged: () => assert.fail(), suspended: assert.fail, resumed: assert.fail });
  assert.equal(pageHidden(), false);
  assert.equal(deviceMemoryGib(), undefined);
});
