/** Draws whom this page exchanges with (d3-force, SVG): itself, the CDN and each neighbour; lines as thick as what has passed. */

import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY } from "d3-force";
import { graphOf } from "./graph-model.js";

/** @typedef {import("./graph-model.js").GraphNode & import("d3-force").SimulationNodeDatum} Node */
/** @typedef {{ source: Node, target: Node, link: import("./graph-model.js").GraphLink }} Link */

const WIDTH = 360;
const HEIGHT = 220;
const RADIUS = 18;
const SVG = "http://www.w3.org/2000/svg";
/** Enough for so few to come to rest. */
const TICKS = 150;

export class NeighbourGraph {
  /** @param {HTMLElement} place  gets a label that says who is there */
  constructor(place) {
    this._place = place;
    this._svg = document.createElementNS(SVG, "svg");
    this._svg.setAttribute("viewBox", `${-WIDTH / 2} ${-HEIGHT / 2} ${WIDTH} ${HEIGHT}`);
    place.append(this._svg);
    /** @type {Node[]} */
    this._nodes = [];
    /** @type {Link[]} */
    this._links = [];
    this._moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this._simulation = forceSimulation(this._nodes)
      .force("charge", forceManyBody().strength(-260))
      .force("collide", forceCollide(RADIUS * 1.6))
      .force("x", forceX(0).strength(0.06))
      .force("y", forceY(0).strength(0.12))
      .on("tick", () => this._draw())
      .stop();
  }

  /** @param {import("./graph-model.js").Stats} stats */
  show(stats) {
    const { nodes, links, words } = graphOf(stats);
    this._place.setAttribute("aria-label", words);
    const known = new Map(this._nodes.map((node) => [node.id, node]));
    const changed = nodes.length !== known.size || nodes.some(({ id }) => !known.has(id));
    const middle = { fx: 0, fy: 0 };
    this._nodes = nodes.map((node) => Object.assign(known.get(node.id) ?? {}, node, node.kind === "self" ? middle : {}));
    const byId = new Map(this._nodes.map((node) => [node.id, node]));
    this._links = links.map((link) => ({
      source: /** @type {Node} */ (byId.get(link.from)),
      target: /** @type {Node} */ (byId.get(link.to)),
      link,
    }));
    if (changed) this._arrange();
    else this._draw();
  }

  _arrange() {
    // In copies: d3 writes into what it is given.
    const links = this._links.map(({ source, target }) => ({ source, target }));
    this._simulation.nodes(this._nodes).force("link", forceLink(links).distance(85)).alpha(1);
    if (this._moves) this._simulation.restart();
    else {
      this._simulation.tick(TICKS);
      this._draw();
    }
  }

  _draw() {
    const limit = (/** @type {number} */ value, /** @type {number} */ room) =>
      Math.max(RADIUS - room, Math.min(room - RADIUS, value));
    const x = (/** @type {Node} */ node) => limit(node.x ?? 0, WIDTH / 2).toFixed(1);
    const y = (/** @type {Node} */ node) => limit(node.y ?? 0, HEIGHT / 2).toFixed(1);
    const lines = this._links.map(({ source, target, link }) =>
      shape("line", {
        class: link.kind,
        x1: x(source),
        y1: y(source),
        x2: x(target),
        y2: y(target),
        "stroke-width": String(link.width),
      }),
    );
    const circles = this._nodes.flatMap((node) => {
      const circle = shape("circle", { class: node.kind, cx: x(node), cy: y(node), r: String(RADIUS) });
      const label = shape("text", { x: x(node), y: y(node), "text-anchor": "middle", "dominant-baseline": "central" });
      label.textContent = node.label;
      const title = shape("title", {});
      title.textContent = node.title;
      circle.append(title);
      return [circle, label];
    });
    this._svg.replaceChildren(...lines, ...circles);
  }
}

/** @param {string} name @param {Record<string, string>} attributes */
function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
