import assert from "node:assert/strict";
import { test } from "node:test";
import { patternOf } from "../../../static/js/core/url-template.js";

const BASE = "https://cdn.example/v/";
const VALUES = { id: "v/1", bandwidth: 800 };

/** @param {string} template @param {string} url */
function read(template, url) {
  return patternOf(template, VALUES, BASE)?.(url, /** @type {string} */ (url.split("?", 1)[0])) ?? null;
}

test("identifiers are put in as the standard says, and number or time read back", () => {
  assert.deepEqual(read("$RepresentationID$/$Bandwidth%05d$/$$-$Time$.m4s", `${BASE}v/1/00800/$-77.m4s`), {
    identifier: "Time",
    value: 77,
  });
  assert.deepEqual(read("$Time$/$Number$/$Number$.m4s", `${BASE}77/12/12.m4s`), { identifier: "Number", value: 12 });
  assert.deepEqual(read("init.mp4", `${BASE}init.mp4?token=1`), { identifier: null, value: null });
});

test("a query that the template has must be there, and others need not", () => {
  assert.deepEqual(read("s?n=$Number$", `${BASE}s?n=3`), { identifier: "Number", value: 3 });
  assert.equal(read("s?n=$Number$", `${BASE}s`), null);
  assert.equal(read("s$Number$", `${BASE}s12/x`), null);
  assert.equal(read("s.$Number$", `${BASE}s-12`), null);
});

test("a template with identifiers that are not known reads nothing", () => {
  assert.equal(patternOf("$Number$.$SubNumber$", VALUES, BASE), null);
});
