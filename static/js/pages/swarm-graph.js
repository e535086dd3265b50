/** Draws whom the members of one swarm exchange with (d3-force, SVG): coloured by provider, near where the round trip is short. */

import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";

/** @typedef {{ id: string, isp: string, country: string, cluster: number, neighbours: number }} Member */
/** @typedef {{ one: number, other: number, rtt_ms: number | null }} Link */
/** @typedef {{ members_total: number, members: Member[], links: Link[], reported: number }} Graph  as /dashboard/swarm answers */
/** @typedef {import("d3-force").SimulationNodeDatum & { member: Member }} Node */

const WIDTH = 480;
const HEIGHT = 300;
const RADIUS = 6;
const TICKS = 200;
const SVG = "http://www.w3.org/2000/svg";
/** Okabe and Ito's, which are told apart by the colour-blind too; the rest of the providers share the last. */
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#888888"];

export class SwarmGraph {
  /** @param {HTMLElement} place  gets a label that says what is there */
  constructor(place) {
    this._place = place;
    /** @type {Map<string, Node>} by peer id, so that who stays stays where it is */
    this._nodes = new Map();
  }

  /** @param {Graph} graph @returns {string[]} providers in the order of their colours, the unknown one as an empty name */
  show({ members, links }) {
    const nodes = members.map((member) => ({ ...this._nodes.get(member.id), member }));
    this._nodes = new Map(nodes.map((node) => [node.member.id, node]));
    const lines = links.flatMap(({ one, other, rtt_ms }) => {
      const [source, target] = [nodes[one], nodes[other]];
      return source && target ? [{ source, target, rtt_ms }] : [];
    });
    forceSimulation(nodes)
      .force("charge", forceManyBody().strength(-60))
      .force("collide", forceCollide(RADIUS * 1.4))
      .force(
        "link",
        forceLink(lines).distance(({ rtt_ms }) => 30 + Math.min(rtt_ms ?? 50, 200) / 2),
      )
      .force("x", forceX(0).strength(0.08))
      .force("y", forceY(0).strength(0.12))
      .stop()
      .tick(TICKS);
    const providers = providersOf(members);
    this._draw(nodes, lines, providers);
    this._place.setAttribute(
      "aria-label",
      `${members.length} viewers, ${links.length} connections, of ${providers.length} providers`,
    );
    return providers;
  }

  /** @param {Node[]} nodes @param {{ source: Node, target: Node, rtt_ms: number | null }[]} lines @param {string[]} providers */
  _draw(nodes, lines, providers) {
    const svg = element("svg", { viewBox: `${-WIDTH / 2} ${-HEIGHT / 2} ${WIDTH} ${HEIGHT}` });
    for (const { source, target, rtt_ms } of lines) {
      const line = element("line", { ...within(source, "1"), ...within(target, "2") });
      line.append(title(rtt_ms === null ? "round trip unknown" : `${rtt_ms} ms`));
      svg.append(line);
    }
    for (const node of nodes) {
      const { cx, cy } = { cx: clamp(node.x, WIDTH), cy: clamp(node.y, HEIGHT) };
      const circle = element("circle", { cx, cy, r: RADIUS, fill: colourOf(providers.indexOf(node.member.isp)) });
      circle.append(title(`${node.member.id.slice(0, 8)} · ${node.member.isp || "provider unknown"} ${node.member.country}`));
      svg.append(circle);
    }
    this._place.replaceChildren(svg);
  }
}

/** @param {Member[]} members @returns {string[]} the most frequent first */
export function providersOf(members) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { isp } of members) counts.set(isp, (counts.get(isp) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([isp]) => isp);
}

/** @param {number} index @returns {string} */
export const colourOf = (index) => /** @type {string} */ (COLOURS[Math.min(index, COLOURS.length - 1)]);

/** @param {number | undefined} at @param {number} size */
const clamp = (at, size) => Math.max(RADIUS - size / 2, Math.min(size / 2 - RADIUS, at ?? 0));

/** @param {Node} node @param {string} end */
const within = (node, end) => ({ [`x${end}`]: clamp(node.x, WIDTH), [`y${end}`]: clamp(node.y, HEIGHT) });

/** @param {string} text */
function title(text) {
  const made = element("title", {});
  made.textContent = text;
  return made;
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
