/**
 * XML as far as manifests use it: elements, attributes, text. Not the browser's DOMParser, which a page that requires Trusted Types
 * forbids, and which workers and the core do not have.
 */

/**
 * An element, with the members of a DOM element that mpd-parser reads; of a text node there is only `nodeValue`.
 * @typedef {object} XmlNode
 * @property {string} [tagName]  with its prefix
 * @property {{ name: string, value: string }[]} attributes
 * @property {XmlNode[]} childNodes
 * @property {string} textContent  its own text, without that of its children
 * @property {string} [nodeValue]
 */

/** Comment, CDATA, declaration or instruction, end, start, text. */
const TOKEN =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<[?!][^>]*>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)((?:"[^"]*"|'[^']*'|[^>"'])*)>|([^<]+)|</g;
const ATTRIBUTE = /([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES = /** @type {Record<string, string>} */ ({ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" });

/**
 * @param {string} text  a document
 * @param {Set<string>} [ignored]  names of elements that are left out with all that is in them
 * @returns {XmlNode} its root element
 * @throws {SyntaxError} for what is not well-formed
 */
export function parseXml(text, ignored = new Set()) {
  const document = element("", "");
  const open = [document];
  for (const [token, data, end, start, attributes = "", plain] of text.matchAll(TOKEN)) {
    const parent = /** @type {XmlNode} */ (open.at(-1));
    if (start !== undefined) {
      const child = element(start, attributes);
      if (!ignored.has(start)) parent.childNodes.push(child);
      if (!attributes.endsWith("/")) open.push(child);
    } else if (end !== undefined) {
      if (parent.tagName !== end || open.length < 2) throw new SyntaxError(`</${end}> closes <${parent.tagName}>`);
      open.pop();
    } else if (plain ?? data) {
      const nodeValue = data ?? unescaped(/** @type {string} */ (plain));
      parent.childNodes.push({ ...element(undefined, ""), nodeValue });
      parent.textContent += nodeValue;
    } else if (token === "<") throw new SyntaxError("a tag does not end");
  }
  const root = document.childNodes.find(({ tagName }) => tagName !== undefined);
  if (open.length > 1 || !root) throw new SyntaxError("the document ends too early");
  return root;
}

/** @param {string | undefined} tagName @param {string} attributes  as they are written @returns {XmlNode} */
function element(tagName, attributes) {
  return {
    ...(tagName === undefined ? {} : { tagName }),
    attributes: Array.from(attributes.matchAll(ATTRIBUTE), ([, name = "", double, single]) => ({
      name,
      value: unescaped(double ?? single ?? ""),
    })),
    childNodes: [],
    textContent: "",
  };
}

/** @param {string} text @returns {string} */
function unescaped(text) {
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[name] ?? whole;
    const code = Number.parseInt(hex ?? decimal, hex ? 16 : 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
