/**
 * Names the segments of playlists with the shipped SegmentTable, for tests/core/test_playlists.py to compare with.
 * Reads JSON from standard input: [[{ url, base, text }, ...], ...], one list a content; writes for each the found segments by location.
 */
import { readFileSync } from "node:fs";
import { KIND_PART } from "../../static/js/core/identity.js";
import { SegmentTable } from "../../static/js/core/manifests.js";

const answers = JSON.parse(readFileSync(0, "utf8")).map(
  (/** @type {{ url: string, base: string, text: string }[]} */ playlists) => {
    const table = new SegmentTable();
    /** @type {Record<string, string>} */
    const found = {};
    for (const { url, base, text } of playlists) {
      table.observe(url, base, text);
      for (const [latest] of table._segments.values()) {
        for (const [location, { ref }] of latest ?? []) {
          if (ref.kind === KIND_PART) continue; // nobody signs parts
          found[`${ref.track} ${location}`] = `${ref.kind}/${ref.discontinuity}/${ref.number}`;
        }
      }
    }
    return { content: table.contentName, found };
  },
);
process.stdout.write(JSON.stringify(answers));
