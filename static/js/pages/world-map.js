/** Draws how many viewers are in each country (d3-geo, outlines of Natural Earth by world-atlas): a circle at its middle. */

import { geoCentroid, geoNaturalEarth1, geoPath } from "d3-geo";
import codes from "i18n-iso-countries/codes.json";
import { feature } from "topojson-client";
import world from "world-atlas/countries-110m.json";

const WIDTH = 480;
const HEIGHT = 250;
const RADIUS_MAX = 24;
const SVG = "http://www.w3.org/2000/svg";
/** ISO 3166-1: two letters to the number that outlines are known by. */
const NUMBERS = new Map(/** @type {string[][]} */ (codes).map(([letters, , digits]) => [letters, digits]));

export class WorldMap {
  /** @param {HTMLElement} place  gets a label that says who is where */
  constructor(place) {
    this._place = place;
    const projection = geoNaturalEarth1().fitSize([WIDTH, HEIGHT], { type: "Sphere" });
    const path = geoPath(projection);
    const { features } = /** @type {import("geojson").FeatureCollection} */ (
      /** @type {unknown} */ (feature(/** @type {any} */ (world), /** @type {any} */ (world.objects.countries)))
    );
    /** @type {Map<string, [number, number]>} */
    this._middles = new Map();
    const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}` });
    for (const country of features) {
      svg.append(element("path", { d: path(country) ?? "" }));
      const middle = projection(geoCentroid(country));
      if (middle) this._middles.set(String(country.id), middle);
    }
    this._circles = element("g", {});
    svg.append(this._circles);
    place.append(svg);
  }

  /** @param {Record<string, number>} countries  viewers by ISO code @returns {number} of those that are on no outline: too small, or unknown */
  show(countries) {
    const most = Math.max(1, ...Object.values(countries));
    let elsewhere = 0;
    this._circles.replaceChildren();
    for (const [code, viewers] of Object.entries(countries)) {
      const middle = this._middles.get(NUMBERS.get(code) ?? "");
      if (!middle) {
        elsewhere += viewers;
        continue;
      }
      const circle = element("circle", { cx: middle[0], cy: middle[1], r: Math.max(2, RADIUS_MAX * Math.sqrt(viewers / most)) });
      const title = element("title", {});
      title.textContent = `${code}: ${viewers}`;
      circle.append(title);
      this._circles.append(circle);
    }
    const largest = Object.entries(countries).sort((a, b) => b[1] - a[1]);
    const words = largest.slice(0, 10).map(([code, viewers]) => `${code} ${viewers}`);
    this._place.setAttribute("aria-label", words.length > 0 ? `Viewers by country: ${words.join(", ")}` : "No country is known");
    return elsewhere;
  }
}

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
