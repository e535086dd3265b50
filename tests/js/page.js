/** Stand-ins for the page that the library's shells live in. */

/** @typedef {{ hide: (hidden: boolean) => void, tell: (event: string) => void, tellDocument: (event: string) => void, tellStorage: (key: string | null) => void }} Page */

/** Runs with a document and a window that can be hidden and told of. @param {(page: Page) => Promise<void> | void} run */
export async function withPage(run) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const window = new EventTarget();
  const globals = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  Object.assign(globals, { document, addEventListener: window.addEventListener.bind(window) });
  const tellDocument = (/** @type {string} */ event) => void document.dispatchEvent(new Event(event));
  try {
    await run({
      hide: (hidden) => {
        document.visibilityState = hidden ? "hidden" : "visible";
        tellDocument("visibilitychange");
      },
      tell: (event) => void window.dispatchEvent(new Event(event)),
      tellDocument,
      tellStorage: (key) => void window.dispatchEvent(Object.assign(new Event("storage"), { key })),
    });
  } finally {
    delete globals.document;
    delete globals.addEventListener;
  }
}
