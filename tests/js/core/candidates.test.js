import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CandidateFilter, splitCandidates, withoutAddresses } from "../../../static/js/core/candidates.js";
import { CANDIDATES_MAX } from "../../../static/js/core/tuning.js";

const MDNS = "1f0b4a1c-9c2e-4d53-8a77-0123456789ab.local";

/** @param {string} address @param {{ port?: number, transport?: string, type?: string, rest?: string }} [options] */
const line = (address, { port = 50000, transport = "udp", type = "host", rest = "" } = {}) =>
  `candidate:842163049 1 ${transport} 1677729535 ${address} ${port} typ ${type}${rest}`;

const fresh = () => new CandidateFilter("all");

test("public addresses and mDNS names are taken", () => {
  for (const address of ["198.51.100.7", "1.1.1.1", "2001:db8::7", "2a00:1450:4001:81b::200e", MDNS, MDNS.toUpperCase()]) {
    assert.equal(fresh().theirs(line(address, { rest: " generation 0 ufrag abcd network-cost 999" })), "take", address);
  }
  const relayed = line("203.0.113.5", { type: "relay", rest: " raddr 10.0.0.1 rport 4000" });
  assert.equal(fresh().theirs(relayed), "take");
});

test("addresses that are no host's are dropped, however they are written", () => {
  const never = [
    ["0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"],
    ["::", "fe80::1", "febf::1", "ff02::fb", "2002:c0a8:101::1", "2001::1", "64:ff9b:1::a00:1"],
    ["::ffff:169.254.0.1", "::ffff:e000:1", "64:ff9b::ffff:ffff", "::169.254.1.1"],
    ["127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4."],
    ["localhost", "printer.local", "victim.example", "[::1]", "fe80::1%eth0", "::1]", "1:2:3:4:5:6:7:8:9", "g::1", ":"],
  ].flat();
  for (const address of never) assert.equal(fresh().theirs(line(address)), "drop", address);
});

test("addresses of our own networks wait until we are known to be in that network ourselves", () => {
  for (const [theirs, ours] of /** @type {const} */ ([
    ["192.168.1.20", "192.168.1.7"],
    ["10.1.2.3", "10.1.2.200"],
    ["172.31.0.9", "172.31.0.1"],
    ["100.64.3.4", "100.64.3.9"],
    ["fd00:1:2:3::9", "fd00:1:2:3::1"],
    ["::ffff:192.168.1.20", "192.168.1.7"],
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
  ])) {
    const filter = fresh();
    assert.equal(filter.theirs(line(theirs)), "wait", theirs);
    filter.ours(line(ours, { type: "srflx" }));
    assert.equal(filter.theirs(line(theirs)), "wait", "a server may have said that");
    filter.ours(line("10.200.0.1"));
    assert.equal(filter.theirs(line(theirs)), "wait", "of another network");
    filter.ours(line(ours));
    assert.equal(filter.theirs(line(theirs)), "take", theirs);
  }
});

test("other transports, servers' ports, and lines that are no candidate are dropped", () => {
  for (const port of [0, 53, 80, 443, 1023, 65536, 99999]) assert.equal(fresh().theirs(line("1.1.1.1", { port })), "drop");
  assert.equal(fresh().theirs(line("1.1.1.1", { port: 1024 })), "take");
  assert.equal(fresh().theirs(line("1.1.1.1", { transport: "tcp", rest: " tcptype passive" })), "drop");
  for (const text of [
    "",
    "candidate:",
    `a=${line("1.1.1.1")}`,
    `${line("1.1.1.1")}\r\na=${line("10.0.0.1")}`,
    line("1.1.1.1").replace("typ host", "typ evil"),
    line("1.1.1.1").replace(" 1 ", "  1 "),
  ]) {
    assert.equal(fresh().theirs(text), "drop", text);
  }
});

test("one address is taken once, and no more than there may be", () => {
  const filter = fresh();
  assert.equal(filter.theirs(line("1.1.1.1")), "take");
  assert.equal(filter.theirs(line("1.1.1.1").replace("candidate:8", "candidate:9")), "drop");
  for (let at = 1; at < CANDIDATES_MAX; at++) assert.equal(filter.theirs(line("1.1.1.1", { port: 2000 + at })), "take");
  assert.equal(filter.theirs(line("1.1.1.2")), "drop");
});

test("of `public` no private address or name goes out, and none is sent to", () => {
  for (const mode of /** @type {const} */ (["public", "relay"])) {
    const filter = new CandidateFilter(mode);
    for (const address of ["192.168.1.7", "fd00::1", "127.0.0.1", MDNS]) {
      assert.equal(filter.ours(line(address)), null, address);
      assert.equal(filter.theirs(line(address)), "drop", address);
    }
    const rest = " raddr 192.168.1.7 rport 50000 generation 0";
    const told = filter.ours(line("198.51.100.7", { type: "srflx", rest }));
    assert.equal(told, line("198.51.100.7", { type: "srflx", rest: " raddr 0.0.0.0 rport 9 generation 0" }));
    assert.match(filter.ours(line("2001:db8::1", { type: "relay", rest: " raddr fd00::1 rport 7" })) ?? "", / raddr :: rport 9$/);
    assert.equal(filter.theirs(line("198.51.100.9")), "take");
  }
  assert.equal(fresh().ours(line(MDNS)), line(MDNS));
});

test("a description is split into itself and its candidates, and leaves without an address where it must", () => {
  const head = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "m=application 50000 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 192.168.1.7"];
  const candidates = [line("192.168.1.7"), line("198.51.100.7", { type: "srflx" })];
  const sdp = [...head, ...candidates.map((text) => `a=${text}`), "a=end-of-candidates", "a=mid:0", ""].join("\r\n");
  const split = splitCandidates(sdp);
  assert.equal(split.sdp, [...head, "a=mid:0", ""].join("\r\n"));
  assert.deepEqual(split.candidates, [...candidates, "end-of-candidates"]);
  assert.equal(fresh().theirs("end-of-candidates"), "drop");
  const bare = withoutAddresses(sdp);
  assert.ok(!/192\.168|198\.51/.test(bare));
  assert.match(bare, /m=application 9 UDP.*\r\nc=IN IP4 0\.0\.0\.0\r\n/);
  for (const hidden of [` A = Candidate:x`, "x\ra=candidate:y", "a\t=\tCANDIDATE:z"]) {
    assert.ok(!/candidate/i.test(splitCandidates(`v=0\n${hidden}\n`).sdp), hidden);
  }
});

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet);

/** What RFC 6890 says, written out once more. @param {readonly number[]} octets */
function isPublic([a = 0, b = 0, c = 0]) {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false;
  if (a === 100 && b >= 64 && b < 128) return false;
  if ((a === 169 && b === 254) || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168)) return false;
  return !(a === 198 && (b === 18 || b === 19)) && !(a === 192 && b === 0 && c === 0);
}

test("any IPv4 address, as it is or within IPv6, is taken at once if it is public and not otherwise", () => {
  const edges = fc.constantFrom(
    [100, 64, 0, 0],
    [100, 128, 0, 0],
    [172, 15, 0, 1],
    [172, 16, 0, 1],
    [172, 32, 0, 1],
    [198, 20, 0, 1],
  );
  fc.assert(
    fc.property(fc.oneof(ipv4, edges), (octets) => {
      const dotted = octets.join(".");
      for (const address of [dotted, `::ffff:${dotted}`, `64:ff9b::${dotted}`]) {
        assert.equal(fresh().theirs(line(address)) === "take", isPublic(octets), address);
      }
    }),
  );
});

test("whatever a stranger sends, what is taken is one line of UDP to a port above 1023", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    ipv4.map((octets) => line(octets.join("."))),
  );
  const filter = fresh();
  fc.assert(
    fc.property(text, fc.string({ maxLength: 20 }), (candidate, tail) => {
      for (const sent of [candidate, candidate + tail, splitCandidates(`${candidate}\n${tail}`).candidates.join("\n")]) {
        if (filter.theirs(sent) !== "take") continue;
        assert.match(sent, /^candidate:\S+ \d+ udp \d+ \S+ \d{4,5} typ host[^\r\n]*$/i);
      }
      assert.ok(filter._taken.size <= CANDIDATES_MAX);
    }),
  );
});
