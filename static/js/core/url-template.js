/** URL templates of DASH (ISO/IEC 23009-1, section 5.3.9.4.4), read backwards: from a URL to the number or time it was made of. */

/** @typedef {"Number" | "Time"} Identifier */
/** @typedef {{ identifier: Identifier | null, value: number | null }} TemplateMatch  null where the template has none */

/** What a URL's parser leaves as it is, and nobody's URL has in it. */
const MARKS = { Number: "peerpool-mark-number", Time: "peerpool-mark-time" };

/**
 * @param {string} template  relative or absolute @param {{ id: string, bandwidth: number }} values @param {string} baseUrl  absolute
 * @returns {((url: string, path: string) => TemplateMatch | null) | null} takes a URL whole and without query: what a player adds to it (a token,
 *   CMCD) does not count where the template has no query. Null for a template with identifiers that are not known
 */
export function patternOf(template, { id, bandwidth }, baseUrl) {
  let known = true;
  const filled = template.replace(/\$(\w*)(?:%0(\d+)d)?\$/g, (_whole, name, width = "1") => {
    if (name === "") return "$";
    if (name === "RepresentationID") return id;
    if (name === "Bandwidth") return String(bandwidth).padStart(Number(width), "0");
    if (name === "Number" || name === "Time") return MARKS[/** @type {Identifier} */ (name)];
    known = false;
    return "";
  });
  if (!known) return null;
  const [href = ""] = new URL(filled, baseUrl).href.split("#", 1);
  // Numbers follow each other, and so are the better name where a template has both.
  const identifier =
    [/** @type {const} */ ("Number"), /** @type {const} */ ("Time")].find((name) => href.includes(MARKS[name])) ?? null;
  const queried = href.includes("?");
  if (!identifier) return (url, path) => ((queried ? url : path) === href ? { identifier, value: null } : null);
  const pattern = new RegExp(`^${source(href, MARKS[identifier])}$`);
  return (url, path) => {
    const digits = pattern.exec(queried ? url : path)?.[1];
    return digits === undefined ? null : { identifier, value: bounded(digits) };
  };
}

/** @param {string} href  with marks @param {string} mark  the one whose digits are wanted @returns {string} */
function source(href, mark) {
  const escaped = href.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const [head, ...rest] = escaped.split(mark);
  return `${head}(\\d+)${rest.join("\\d+")}`.replaceAll(MARKS.Time, "\\d+");
}

/** Times of ten million a second since the epoch are beyond what the wire carries: their lower 53 bits are. @param {string} digits @returns {number} */
function bounded(digits) {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : Number(BigInt.asUintN(53, BigInt(digits)));
}
