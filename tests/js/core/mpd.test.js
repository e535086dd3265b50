import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SegmentTable } from "../../../static/js/core/manifests.js";
import { readMpd } from "../../../static/js/core/mpd.js";
import { vectors } from "../vectors.js";

/** @typedef {{ url: string, range: [number, number] | null, ref: object | null }} Request */
/** @typedef {{ about: string, url: string, text: string, index?: { url: string, range: [number, number], bytes: string }, requests: Request[] }} Manifest */

/** @param {string} text @param {string} [url] */
function tableOf(text, url = "https://cdn.example/v/a.mpd") {
  const table = new SegmentTable();
  table.observe(url, url, text, readMpd);
  return table;
}

/** @param {string} inner  of an adaptation set of video @param {{ attributes?: string, base?: string }} [more] */
function mpd(inner, { attributes = 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z"', base = "" } = {}) {
  return `<?xml version="1.0"?><MPD ${attributes}>${base}<Period id="1" start="PT0S"><AdaptationSet mimeType="video/mp4">${inner}</AdaptationSet></Period></MPD>`;
}

const TIMED = (/** @type {number} */ t, /** @type {number} */ r) =>
  mpd(
    `<SegmentTemplate timescale="1000" media="$RepresentationID$-$Time$.m4s"><SegmentTimeline><S t="${t}" d="2000" r="${r}"/></SegmentTimeline></SegmentTemplate><Representation id="v" bandwidth="80000"/>`,
  );

for (const { about, url, text, index, requests } of /** @type {{ manifests: Manifest[] }} */ (vectors("dash")).manifests) {
  test(`golden names: ${about}`, () => {
    const table = tableOf(text, url);
    if (index) {
      const source = table.find(index.url, ...index.range);
      assert.ok(source);
      table.loaded(source, Uint8Array.from(Buffer.from(index.bytes, "hex")).buffer);
    }
    for (const { url: asked, range, ref } of requests) {
      const found = table.find(asked, range?.[0] ?? null, range?.[1] ?? null);
      assert.deepEqual(found?.ref ?? null, ref, `${asked} ${range}`);
      if (found) assert.deepEqual([found.url, found.rangeStart, found.rangeEnd], [asked, ...(range ?? [null, null])]);
    }
  });
}

test("viewers who joined at different times name every segment the same, whatever their windows show of it", () => {
  fc.assert(
    fc.property(fc.nat(10_000), fc.nat(10_000), fc.nat(50), (first, second, place) => {
      const url = `https://cdn.example/v/v-${(first + place) * 2000}.m4s`;
      const refs = [TIMED(first * 2000, 50), TIMED(second * 2000, 7)].map((text) => tableOf(text).find(url, null, null)?.ref);
      assert.ok(refs[0]);
      assert.deepEqual(refs[0], refs[1]);
    }),
  );
});

test("a number is read back from its URL, however it is padded and whatever a player adds as a query", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(9), fc.constantFrom("", "?t=1&x=$Number$"), (number, width, query) => {
      const media = `a b/(s)_$Number%0${width}d$.$RepresentationID$.m4s`;
      const text = mpd(`<SegmentTemplate duration="2" media="${media}"/><Representation id="v+1" bandwidth="1"/>`);
      const name = `a b/(s)_${String(number).padStart(width, "0")}.v+1.m4s`;
      assert.equal(tableOf(text).find(`https://cdn.example/v/${name}${query}`, null, null)?.ref.number, number);
    }),
  );
});

test("a segment has one name on every host, and after every refresh, and its URL is the one that was asked for", () => {
  const inner = `<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="v" bandwidth="1"/>`;
  const table = tableOf(mpd(inner, { base: "<BaseURL>https://a.example/x/</BaseURL><BaseURL>https://b.example/?tok</BaseURL>" }));
  const sources = ["https://a.example/x/7.m4s", "https://b.example/7.m4s"].map((url) => table.find(url, null, null));
  assert.deepEqual(sources[0]?.ref, sources[1]?.ref);
  assert.equal(sources[1]?.url, "https://b.example/7.m4s");
  table.observe("https://cdn.example/v/a.mpd", "https://cdn.example/v/a.mpd", mpd(inner), readMpd);
  assert.deepEqual(table.find("https://cdn.example/v/7.m4s", null, null)?.ref, sources[0]?.ref);
  assert.deepEqual(table.find("https://a.example/x/7.m4s", null, null)?.ref, sources[0]?.ref);
});

test("representations that differ in anything are different tracks, also where another manifest calls them by the same id", () => {
  const tracks = ['bandwidth="1"', 'bandwidth="2"', 'bandwidth="1" codecs="avc1"', 'bandwidth="1" width="2" height="2"'].map(
    (attributes) => {
      const text = mpd(`<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="v" ${attributes}/>`);
      return tableOf(text).find("https://cdn.example/v/1.m4s", null, null)?.ref.track;
    },
  );
  assert.equal(new Set(tracks).size, 4);
});

test("segments of encrypted content are named as any, and what carries keys is not read", () => {
  const protection =
    '<ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"><cenc:pssh>no*base64</cenc:pssh></ContentProtection>';
  const table = tableOf(
    mpd(`${protection}<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="v" bandwidth="1"/>`),
  );
  assert.ok(table.find("https://cdn.example/v/1.m4s", null, null));
  assert.equal(table.find("https://licence.example/", null, null), null);
});

test("of a file with an index only what the index tells is a segment, and nothing before it was loaded", () => {
  const text = mpd(
    '<Representation id="v" bandwidth="1"><BaseURL>v.mp4</BaseURL><SegmentBase indexRange="800-855"/></Representation>',
    {
      attributes: 'type="static" mediaPresentationDuration="PT3S"',
    },
  );
  const table = tableOf(text);
  const index = table.find("https://cdn.example/v/v.mp4", 800, 856);
  assert.ok(index);
  assert.equal(table.find("https://cdn.example/v/v.mp4", 856, 1856), null);
  table.loaded(index, new ArrayBuffer(56));
  assert.equal(table.find("https://cdn.example/v/v.mp4", 856, 1856), null);
});

test("templates, pictures and periods that cannot be told for certain are unknown", () => {
  const unknown = [
    '<SegmentTemplate duration="2" media="$Number$-$SubNumber$.m4s"/><Representation id="v" bandwidth="1"/>',
    '<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation bandwidth="1"/>',
  ].map((inner) => mpd(inner));
  const pictures = mpd('<SegmentTemplate duration="2" media="$Number$.jpg"/><Representation id="v"/>').replace(
    "video/mp4",
    "image/jpeg",
  );
  const early = mpd('<SegmentTemplate duration="2" media="$Number$.m4s"/><Representation id="v"/>').replace(' start="PT0S"', "");
  for (const text of [...unknown, pictures, early]) {
    const table = tableOf(text);
    for (const name of ["1-1.m4s", "1.m4s", "1.jpg"]) assert.equal(table.find(`https://cdn.example/v/${name}`, null, null), null);
  }
});

test("without its reader a DASH manifest only names its content", () => {
  const table = new SegmentTable();
  table.observe("https://cdn.example/v/a.mpd?t=1", "https://cdn.example/v/a.mpd", TIMED(0, 1));
  assert.equal(table.contentName, "cdn.example/v/a.mpd");
  assert.equal(table.find("https://cdn.example/v/v-0.m4s", null, null), null);
});

test("durations and sizes are as the manifest tells, at the edges of a timeline too", () => {
  const timeline = '<SegmentTimeline><S t="0" d="2000" r="-1"/><S t="6000" d="1000" r="-1"/></SegmentTimeline>';
  const text = mpd(
    `<SegmentTemplate timescale="1000" media="$Time$.m4s">${timeline}</SegmentTemplate><Representation id="v" bandwidth="80000"/>`,
  );
  const table = tableOf(text);
  const sources = [4000, 6000, 99_000].map((time) => table.find(`https://cdn.example/v/${time}.m4s`, null, null));
  assert.deepEqual(
    sources.map((source) => [source?.durationSec, source?.expectedBytes, source?.live]),
    [
      [2, 20_000, true],
      [1, 10_000, true],
      [1, 10_000, true],
    ],
  );
});
