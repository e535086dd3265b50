/** Who the demo's graph shows, and how thick the lines are: from PeerPool.stats(). No drawing. */

/**
 * @typedef {object} Stats  of PeerPool.stats()
 * @property {{ peer: string, far: boolean, downBytes: number, upBytes: number }[]} peers
 * @property {{ fromCdn: number }} bytes
 */

/** @typedef {{ id: string, kind: "self" | "cdn" | "near" | "far", label: string, title: string }} GraphNode */
/** @typedef {{ from: string, to: string, kind: "cdn" | "peer", width: number }} GraphLink  width in px */

/** @param {Stats} stats @returns {{ nodes: GraphNode[], links: GraphLink[], words: string }} */
export function graphOf({ peers, bytes }) {
  /** @type {GraphNode[]} */
  const nodes = [
    { id: "self", kind: "self", label: "you", title: "This page" },
    { id: "cdn", kind: "cdn", label: "CDN", title: `The CDN: ${megabytes(bytes.fromCdn)} from it` },
  ];
  /** @type {GraphLink[]} */
  const links = [{ from: "self", to: "cdn", kind: "cdn", width: width(bytes.fromCdn) }];
  for (const { peer, far, downBytes, upBytes } of peers) {
    if (nodes.some(({ id }) => id === peer)) continue; // two streams of one page, and one neighbour in both
    const title = `Neighbour ${peer.slice(0, 8)}${far ? ", far" : ""}: ${megabytes(downBytes)} from it, ${megabytes(upBytes)} to it`;
    nodes.push({ id: peer, kind: far ? "far" : "near", label: peer.slice(0, 4), title });
    links.push({ from: "self", to: peer, kind: "peer", width: width(downBytes + upBytes) });
  }
  const count = nodes.length - 2;
  const titles = nodes.slice(2).map(({ title }) => title);
  const words = [`${count === 0 ? "No" : count} ${count === 1 ? "neighbour" : "neighbours"}`, ...titles].join(". ");
  return { nodes, links, words };
}

/** @param {number} bytes @returns {number} px: a little more each time it grows tenfold */
function width(bytes) {
  return Math.round((1 + Math.log10(1 + bytes / 1e5) * 2) * 10) / 10;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
