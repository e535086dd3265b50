/** A segment as a manifest tells of it, for tests that need one. */

export const ref = { track: "08edb3d440f8a257", kind: 0, discontinuity: 0, number: 7 };

export const source = {
  ref,
  url: "https://cdn.example/7.m4s",
  rangeStart: null,
  rangeEnd: null,
  durationSec: 2,
  expectedBytes: 0,
  live: false,
  type: "video",
};
