/**
 * The browser's own fetch, as it was when the first script of ours ran: what we load ourselves must not come back to us through the
 * page interceptor, nor through that of a second script tag.
 */

/** Where the first script of ours leaves it for the others. */
const KEY = Symbol.for("peerpool.native");

const page = /** @type {{ [KEY]?: typeof fetch }} */ (globalThis);
const captured = page[KEY] ?? globalThis.fetch;
if (!page[KEY]) Object.defineProperty(page, KEY, { value: captured });

/** @type {typeof fetch} */
export const nativeFetch = (input, init) => captured(input, init);
