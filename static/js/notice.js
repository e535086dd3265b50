/**
 * A small notice that asks whether this browser may share: a second script, loaded by PeerPool.notice() only.
 *
 * It is not modal: it takes no focus unasked, traps none, and the page goes on behind it. Made by createElement and styled by a
 * constructed style sheet in a shadow tree of its own, so that it needs nothing of the page's policy (docs/csp.md).
 */

/**
 * @typedef {object} Labels
 * @property {string} [title]
 * @property {string} [allow]
 * @property {string} [decline]
 * @property {string} [more]  "What is this?"
 * @property {string} [details]  what that shows, where there is no `link`
 */

/**
 * @typedef {object} NoticeOptions
 * @property {string} [text]  in place of ours, which is English
 * @property {Labels} [labels]  the same
 * @property {string} [link]  http(s) URL of the page that says more
 * @property {Element} [container]  where it goes; by default before all else in the body, shown at the lower edge of the window
 * @property {boolean} [reopen]  also where the viewer has answered before; it takes the focus then
 */

/** @typedef {(granted?: boolean) => "granted" | "denied" | "unasked"} AskConsent */

const TEXT =
  "Viewers of this page can pass parts of the video on to each other. It saves servers and energy, and keeps it smooth when many watch.";
/** @type {Required<Labels>} */
const LABELS = {
  title: "Share this stream with other viewers?",
  allow: "Allow",
  decline: "Decline",
  more: "What is this?",
  details:
    "If you allow it, your browser connects to those of other viewers. They can see your IP address, and that you watch this. Your browser sends them parts of the video that it already has. If you decline, the video comes from the server alone, and plays just as well.",
};

// Contrasts of text are 7 to 1 or more, of edges 4.5 to 1, light and dark. Both answers look alike: neither is urged.
const CSS = `
:host { all: initial; display: block; font: 15px/1.5 system-ui, sans-serif; direction: inherit; color-scheme: light dark;
  --ground: #ffffff; --ink: #1a1e24; --edge: #5d6672; --act: #0b5d42; --on-act: #ffffff; }
:host([data-floating]) { position: fixed; z-index: 2147483000; inset-block-end: 1rem; inset-inline: 1rem; max-width: 34rem; margin-inline: auto; }
@media (prefers-color-scheme: dark) { :host { --ground: #1d2229; --ink: #f1f3f5; --edge: #9aa4b1; --act: #7fe0b9; --on-act: #10141a; } }
section { box-sizing: border-box; padding: 1rem; border: 1px solid var(--edge); border-radius: .6rem; background: var(--ground); color: var(--ink);
  max-height: 80vh; overflow: auto; text-align: start; }
h2 { margin: 0 0 .25rem; font-size: 1rem; } p { margin: 0 0 .75rem; }
div { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
button, a { font: inherit; min-height: 44px; min-width: 44px; box-sizing: border-box; padding: .5rem 1rem; border-radius: .4rem; cursor: pointer; }
.answer { border: 1px solid transparent; background: var(--act); color: var(--on-act); }
.more { border: 0; background: none; color: var(--ink); text-decoration: underline; display: inline-flex; align-items: center; }
:focus-visible { outline: 3px solid var(--ink); outline-offset: 2px; }
@media (prefers-reduced-motion: no-preference) { section { animation: appear .25s ease-out; } @keyframes appear { from { opacity: 0; transform: translateY(.5rem); } } }
`;

/** The one there is. @type {{ host: HTMLElement, close: () => void } | null} */
let shown = null;

/**
 * @param {AskConsent} consent  says and takes the answer
 * @param {NoticeOptions} options
 * @throws {TypeError} for a link that is not http(s)
 */
export function showNotice(consent, { text, labels = {}, link, container, reopen = false }) {
  const target = link === undefined ? null : webUrl(link);
  shown?.close();
  const before = document.activeElement;
  const host = document.createElement("div");
  host.toggleAttribute("data-floating", !container);
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  shadow.adoptedStyleSheets = [sheet];

  /** @param {keyof HTMLElementTagNameMap} tag @param {string | undefined} given @param {string} ours @param {string} [name] */
  const make = (tag, given, ours, name = "") => {
    const element = document.createElement(tag);
    element.textContent = given ?? ours;
    element.className = name;
    if (given === undefined) Object.assign(element, { lang: "en", dir: "ltr" }); // whatever the page's is
    return element;
  };
  const title = make("h2", labels.title, LABELS.title);
  title.id = "title";
  const body = make("p", text, TEXT);
  const details = make("p", labels.details, LABELS.details);
  details.id = "details";
  details.hidden = true;
  const allow = make("button", labels.allow, LABELS.allow, "answer");
  const decline = make("button", labels.decline, LABELS.decline, "answer");
  const more = make(target ? "a" : "button", labels.more, LABELS.more, "more");
  const row = document.createElement("div");
  row.append(allow, decline, more);
  const section = document.createElement("section");
  section.setAttribute("role", "region");
  section.setAttribute("aria-labelledby", title.id);
  section.tabIndex = -1;
  section.append(title, body, details, row);
  shadow.append(section);

  const close = () => {
    removeEventListener("storage", answeredElsewhere);
    const focused = host.contains(document.activeElement);
    host.remove();
    shown = null;
    if (focused && before instanceof HTMLElement) before.focus();
  };
  const answeredElsewhere = () => {
    if (consent() !== "unasked" && !reopen) close();
  };
  /** @param {boolean} granted */
  const answer = (granted) => {
    consent(granted);
    close();
  };
  allow.addEventListener("click", () => answer(true));
  decline.addEventListener("click", () => answer(false));
  if (target) Object.assign(more, { href: target, target: "_blank", rel: "noopener" });
  else {
    more.setAttribute("aria-controls", details.id);
    more.setAttribute("aria-expanded", "false");
    more.addEventListener("click", () => {
      details.hidden = !details.hidden;
      more.setAttribute("aria-expanded", String(!details.hidden));
    });
  }
  // Put off, not answered: nothing is shared where consent is required, and it may be asked again.
  section.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  addEventListener("storage", answeredElsewhere);
  (container ?? document.body).prepend(host);
  shown = { host, close };
  if (reopen) section.focus();
}

/** @param {string} link @returns {string} @throws {TypeError} */
function webUrl(link) {
  const url = new URL(link, document.baseURI);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new TypeError("PeerPool: link is an http(s) URL");
  return url.href;
}
