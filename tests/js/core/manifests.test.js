import assert from "node:assert/strict";
import { test } from "node:test";
import { SegmentTable } from "../../../static/js/core/manifests.js";

const BASE = "https://cdn.example/live/";

const MULTIVARIANT = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",URI="en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=960x540,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
high.m3u8
`;

/** @param {number} first @param {string} [token] @param {string} [extra] */
function media(first, token = "", extra = "") {
  const lines = [0, 1, 2].map((index) => `#EXTINF:2,\nseg${first + index}.m4s${token}`);
  return `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:${first}\n${extra}#EXT-X-MAP:URI="init.mp4${token}"\n${lines.join("\n")}\n`;
}

/** @param {string} multivariant @param {string} playlist @param {string} text */
function tableOf(multivariant, playlist, text) {
  const table = new SegmentTable();
  table.observe(`${BASE}master.m3u8`, `${BASE}master.m3u8`, multivariant);
  table.observe(playlist, playlist, text);
  return table;
}

test("segments are named by track, media sequence and discontinuity", () => {
  const text = media(7, "", "#EXT-X-DISCONTINUITY-SEQUENCE:4\n");
  const source = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, text).find(`${BASE}seg8.m4s`, null, null);
  assert.equal(source?.ref.number, 8);
  assert.equal(source?.ref.discontinuity, 4);
  assert.equal(source?.durationSec, 2);
});

test("the same segment has one name whatever the token, the host and the refresh", () => {
  const plain = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(7)).find(`${BASE}seg8.m4s`, null, null);
  const signed = tableOf(MULTIVARIANT.replaceAll(".m3u8", ".m3u8?t=9"), `${BASE}low.m3u8?t=9`, media(7, "?t=9"));
  const refreshed = tableOf(MULTIVARIANT, `${BASE}low.m3u8?_HLS_msn=8`, media(6));
  assert.deepEqual(signed.find(`${BASE}seg8.m4s?t=9`, null, null)?.ref, plain?.ref);
  assert.deepEqual(refreshed.find(`${BASE}seg8.m4s`, null, null)?.ref, plain?.ref);
});

test("renditions are different tracks, and so is sound", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1));
  table.observe(`${BASE}high.m3u8`, `${BASE}high.m3u8`, media(1).replaceAll("seg", "high"));
  table.observe(`${BASE}en.m3u8`, `${BASE}en.m3u8`, media(1).replaceAll("seg", "en"));
  const tracks = ["seg1", "high1", "en1"].map((name) => table.find(`${BASE}${name}.m4s`, null, null)?.ref.track);
  assert.equal(new Set(tracks).size, 3);
});

test("renditions that differ in nothing but bandwidth are told apart by it", () => {
  const twins = MULTIVARIANT.replace("960x540", "640x360");
  const low = tableOf(twins, `${BASE}low.m3u8`, media(1)).find(`${BASE}seg1.m4s`, null, null);
  const high = tableOf(twins, `${BASE}high.m3u8`, media(1)).find(`${BASE}seg1.m4s`, null, null);
  assert.notEqual(low?.ref.track, high?.ref.track);
});

test("sound of one name in two groups is two tracks, unless both are the same playlist", () => {
  const second = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="surround",NAME="English",LANGUAGE="en",URI="ac3.m3u8"\n';
  const table = tableOf(MULTIVARIANT.replace("#EXT-X-STREAM", `${second}#EXT-X-STREAM`), `${BASE}en.m3u8`, media(1));
  table.observe(`${BASE}ac3.m3u8`, `${BASE}ac3.m3u8`, media(1).replaceAll("seg", "ac3-"));
  const [stereo, surround] = ["seg1", "ac3-1"].map((name) => table.find(`${BASE}${name}.m4s`, null, null)?.ref.track);
  assert.ok(stereo && surround && stereo !== surround);
});

test("the same rendition on a second CDN is the same track", () => {
  const backup = MULTIVARIANT.split("\n").slice(2, 3).concat("https://backup.example/low.m3u8", "").join("\n");
  const table = tableOf(MULTIVARIANT + backup, `${BASE}low.m3u8`, media(1));
  table.observe("https://backup.example/low.m3u8", "https://backup.example/low.m3u8", media(1));
  const refs = [BASE, "https://backup.example/"].map((base) => table.find(`${base}seg2.m4s`, null, null)?.ref);
  assert.ok(refs[0]);
  assert.deepEqual(refs[0], refs[1]);
});

test("an init segment is known by its own name", () => {
  const source = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1)).find(`${BASE}init.mp4`, null, null);
  assert.equal(source?.ref.kind, 1);
});

test("init segments of one name in two periods are two", () => {
  const ad = '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="https://ads.example/77/init.mp4"\n#EXTINF:2,\nad.m4s\n';
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1) + ad);
  const [own, other] = [`${BASE}init.mp4`, "https://ads.example/77/init.mp4"].map((url) => table.find(url, null, null)?.ref);
  assert.ok(own && other);
  assert.notDeepEqual(own, other);
});

test("a delta update goes on where its skipped segments end, and they stay known", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(10));
  const delta = `#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:11\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXTINF:2,\nseg13.m4s\n`;
  table.observe(`${BASE}low.m3u8?_HLS_skip=YES`, `${BASE}low.m3u8`, delta);
  assert.equal(table.find(`${BASE}seg13.m4s`, null, null)?.ref.number, 13);
  assert.equal(table.find(`${BASE}seg12.m4s`, null, null)?.ref.number, 12);
});

test("a playlist whose track cannot be told is not shared", () => {
  const byQuery = MULTIVARIANT.replace("low.m3u8", "p.m3u8?v=1").replace("high.m3u8", "p.m3u8?v=2");
  assert.equal(tableOf(byQuery, `${BASE}p.m3u8?v=1&t=4`, media(1)).find(`${BASE}seg1.m4s`, null, null), null);
  assert.ok(tableOf(byQuery, `${BASE}p.m3u8?v=1`, media(1)).find(`${BASE}seg1.m4s`, null, null));
  const alone = new SegmentTable();
  alone.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, media(1));
  alone.observe(`${BASE}en.m3u8`, `${BASE}en.m3u8`, media(1).replaceAll("seg", "en"));
  assert.ok(alone.find(`${BASE}seg1.m4s`, null, null));
  assert.equal(alone.find(`${BASE}en1.m4s`, null, null), null);
});

test("a URL that is not in its normal form is known in any form", () => {
  const spaced = MULTIVARIANT.replace("low.m3u8", "low quality.m3u8");
  const table = tableOf(spaced, `${BASE}low quality.m3u8`, media(1).replaceAll("seg", "my seg"));
  assert.ok(table.find(`${BASE}my seg1.m4s`, null, null));
});

test("byte ranges of one resource are different segments", () => {
  const text =
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:100@0\nall.mp4\n#EXTINF:2,\n#EXT-X-BYTERANGE:50\nall.mp4\n";
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, text);
  assert.equal(table.find(`${BASE}all.mp4`, 0, 100)?.ref.number, 0);
  const second = table.find(`${BASE}all.mp4`, 100, 150);
  assert.deepEqual([second?.ref.number, second?.rangeStart, second?.rangeEnd], [1, 100, 150]);
  assert.equal(table.find(`${BASE}all.mp4`, null, null), null);
});

test("what has just left a live playlist is still known, what left long ago is not", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1));
  table.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, media(4));
  assert.ok(table.find(`${BASE}seg1.m4s`, null, null));
  for (const first of [7, 10, 13]) table.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, media(first));
  assert.equal(table.find(`${BASE}seg1.m4s`, null, null), null);
});

test("keys and everything that is no playlist are unknown", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1, "", '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"\n'));
  table.observe(`${BASE}x`, `${BASE}x`, "<html>");
  assert.equal(table.find(`${BASE}key.bin`, null, null), null);
  assert.equal(table.contentName, "cdn.example/live/master.m3u8");
});

test("segments are where the playlist was answered, not where it was asked for", () => {
  const table = new SegmentTable();
  table.observe("https://a.example/p.m3u8", "https://edge.example/x/p.m3u8", media(1));
  assert.ok(table.find("https://edge.example/x/seg1.m4s", null, null));
  assert.equal(table.contentName, "a.example/p.m3u8");
});

test("what asks for an update of a playlist does not change which track it is", () => {
  const byQuery = MULTIVARIANT.replace("low.m3u8", "p.m3u8?v=1").replace("high.m3u8", "p.m3u8?v=2");
  const refs = ["", "&_HLS_msn=4&_HLS_part=1", "&_HLS_skip=YES"].map(
    (directives) => tableOf(byQuery, `${BASE}p.m3u8?v=1${directives}`, media(1)).find(`${BASE}seg1.m4s`, null, null)?.ref,
  );
  assert.ok(refs[0]);
  assert.deepEqual(refs[1], refs[0]);
  assert.deepEqual(refs[2], refs[0]);
});

test("a pathway that steering adds has the tracks of the paths it copies", () => {
  const url = "https://third.example/live/low.m3u8?pathway=3";
  const cloned = tableOf(MULTIVARIANT, url, media(1)).find("https://third.example/live/seg1.m4s", null, null);
  assert.deepEqual(cloned?.ref, tableOf(MULTIVARIANT, `${BASE}low.m3u8`, media(1)).find(`${BASE}seg1.m4s`, null, null)?.ref);
});

test("a playlist that was redirected is known where it was answered", () => {
  const edge = "https://edge7.example/x/low.m3u8";
  const table = new SegmentTable();
  table.observe(`${BASE}master.m3u8`, `${BASE}master.m3u8`, MULTIVARIANT);
  table.observe(`${BASE}low.m3u8`, edge, media(1));
  table.observe(edge, edge, media(4));
  assert.equal(table.find("https://edge7.example/x/seg6.m4s", null, null)?.ref.number, 6);
  const alone = new SegmentTable();
  alone.observe(`${BASE}low.m3u8`, edge, media(1));
  alone.observe(edge, edge, media(4));
  assert.equal(alone.find("https://edge7.example/x/seg6.m4s", null, null)?.ref.number, 6);
});

test("an I-frame playlist is never taken for the variant whose path it has", () => {
  const frames = '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI="low.m3u8?frames"\n';
  const table = tableOf(MULTIVARIANT + frames, `${BASE}low.m3u8?frames`, media(1));
  assert.equal(table.find(`${BASE}seg1.m4s`, null, null), null);
  const alone = new SegmentTable();
  alone.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, media(1, "", "#EXT-X-I-FRAMES-ONLY\n"));
  assert.equal(alone.find(`${BASE}seg1.m4s`, null, null), null);
});

test("subtitles are a track", () => {
  const texts = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="t",NAME="English",LANGUAGE="en",URI="texts.m3u8"\n';
  const text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n0.vtt\n#EXT-X-ENDLIST\n";
  const source = tableOf(MULTIVARIANT + texts, `${BASE}texts.m3u8`, text).find(`${BASE}0.vtt`, null, null);
  assert.equal(source?.type, "subtitles");
});

test("an EVENT playlist's segments stay known when it has become a VOD, and are live no more", () => {
  const event = (/** @type {number} */ count, end = "") =>
    `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:EVENT\n${Array.from({ length: count }, (_, n) => `#EXTINF:2,\n${n}.ts\n`).join("")}${end}`;
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, event(3));
  const before = table.find(`${BASE}0.ts`, null, null);
  table.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, event(5));
  table.observe(`${BASE}low.m3u8`, `${BASE}low.m3u8`, event(6, "#EXT-X-ENDLIST\n"));
  const after = table.find(`${BASE}0.ts`, null, null);
  assert.deepEqual(after?.ref, before?.ref);
  assert.deepEqual([before?.live, after?.live], [true, false]);
  assert.equal(table.find(`${BASE}5.ts`, null, null)?.ref.number, 5);
});

test("a delta update counts the discontinuities that it leaves out", () => {
  const whole = media(10).replace("#EXTINF:2,\nseg11", "#EXT-X-DISCONTINUITY\n#EXTINF:2,\nseg11");
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, whole);
  const delta = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\nseg13.m4s\n`;
  table.observe(`${BASE}low.m3u8?_HLS_skip=YES`, `${BASE}low.m3u8`, delta);
  assert.equal(table.find(`${BASE}seg13.m4s`, null, null)?.ref.discontinuity, 1);
});

test("a delta update to what was not seen is not shared", () => {
  const delta = `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:11\n#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXTINF:2,\nseg13.m4s\n`;
  assert.equal(tableOf(MULTIVARIANT, `${BASE}low.m3u8`, delta).find(`${BASE}seg13.m4s`, null, null), null);
});

const PARTS = `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-PART-INF:PART-TARGET=1
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4"
#EXT-X-PART:DURATION=1,URI="seg7.0.m4s"
#EXT-X-PART:DURATION=1,URI="seg7.1.m4s"
#EXTINF:2,
seg7.m4s
#EXT-X-PART:DURATION=1,URI="seg8.m4s",BYTERANGE="100@0"
#EXT-X-PART:DURATION=1,URI="seg8.m4s",BYTERANGE="50"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="seg9.0.m4s"
`;

test("a part is known by its segment and its place in it, whole segments as ever", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, PARTS);
  const first = table.find(`${BASE}seg7.1.m4s`, null, null);
  assert.deepEqual([first?.ref.kind, first?.ref.number, first?.durationSec, first?.live], [2, 7 * 1024 + 1, 1, true]);
  const ranged = table.find(`${BASE}seg8.m4s`, 100, 150);
  assert.deepEqual([ranged?.ref.kind, ranged?.ref.number], [2, 8 * 1024 + 1]);
  assert.deepEqual([table.find(`${BASE}seg7.m4s`, null, null)?.ref.kind, table.find(`${BASE}seg8.m4s`, null, null)], [0, null]);
  assert.equal(table.find(`${BASE}seg9.0.m4s`, null, null), null);
});

test("a part that is a gap is not shared", () => {
  const table = tableOf(MULTIVARIANT, `${BASE}low.m3u8`, PARTS.replace('seg7.1.m4s"', 'seg7.1.m4s",GAP=YES'));
  assert.equal(table.find(`${BASE}seg7.1.m4s`, null, null), null);
  assert.ok(table.find(`${BASE}seg7.0.m4s`, null, null));
});

test("variables of a playlist are put in, imported ones too", () => {
  const defined = `${MULTIVARIANT}#EXT-X-DEFINE:NAME="folder",VALUE="2026"\n`;
  const text = media(1, "", '#EXT-X-DEFINE:IMPORT="folder"\n').replaceAll("seg", "{$folder}/seg");
  assert.ok(tableOf(defined, `${BASE}low.m3u8`, text).find(`${BASE}2026/seg1.m4s`, null, null));
});

test("an init segment's byte range without an offset begins at 0", () => {
  const text = media(1).replace('URI="init.mp4"', 'URI="all.mp4",BYTERANGE="700"');
  assert.equal(tableOf(MULTIVARIANT, `${BASE}low.m3u8`, text).find(`${BASE}all.mp4`, 0, 700)?.ref.kind, 1);
});
