import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseXml } from "../../../static/js/core/xml.js";

test("elements, attributes, text, CDATA and entities are read; comments and declarations are not", () => {
  const root = parseXml(
    `<?xml version="1.0"?><!DOCTYPE a><a x='1 > "0"' ns:y = "&lt;&#65;&#x42;&nbsp;"><!-- <b> --><b/>t&amp;<![CDATA[<c>&amp;]]></a>`,
  );
  assert.equal(root.tagName, "a");
  assert.deepEqual(root.attributes, [
    { name: "x", value: '1 > "0"' },
    { name: "ns:y", value: "<AB&nbsp;" },
  ]);
  assert.equal(root.textContent, "t&<c>&amp;");
  assert.deepEqual(
    root.childNodes.map(({ tagName }) => tagName),
    ["b", undefined, undefined],
  );
});

test("what is to be ignored is left out with all that is in it", () => {
  const root = parseXml("<a><key>1<b/></key><b/></a>", new Set(["key"]));
  assert.deepEqual(
    root.childNodes.map(({ tagName }) => tagName),
    ["b"],
  );
});

test("what is not well-formed is a SyntaxError, and nothing else is thrown", () => {
  for (const text of ["", "text", "<a>", "</a>", "<a></b>", "<a", "<a><b></a>"]) assert.throws(() => parseXml(text), SyntaxError);
  const part = fc.constantFrom(
    "<",
    ">",
    "/",
    "a",
    " ",
    "=",
    '"',
    "'",
    "&",
    "#",
    ";",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?",
    "&#x110000;",
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      try {
        parseXml(parts.join(""));
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
      }
    }),
  );
});
