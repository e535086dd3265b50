/**
 * The dashboard: what is now, by a stream of events, and what was, asked for anew when a choice changes and each minute.
 *
 * The choice (site, range, content) is in the page's URL, so that it can be sent to somebody. `window.dashboard` has
 * the newest of both, for tests and the curious.
 */

import { beside, bytes, duration, number, percent, saved, whole } from "./figure-words.js";
import { HistoryChart } from "./history-chart.js";
import { columns, stackedRates } from "./history-columns.js";
import { colourOf, SwarmGraph } from "./swarm-graph.js";
import { WorldMap } from "./world-map.js";

const HISTORY_MS = 30_000;
const GRAPH_MS = 10_000;
const ROWS_SHOWN = 100;

const chosen = new URLSearchParams(location.search);
/** @type {{ now: any, history: any, graph: any }} */
const state = { now: null, history: null, graph: null };
/** @type {any} */ (window).dashboard = state;

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
const find = (id) => /** @type {T} */ (document.getElementById(id));
/** @param {string} id @param {string} text */
const say = (id, text) => {
  find(id).textContent = text;
};

/** @type {{ sources: HistoryChart, offload: HistoryChart, viewers: HistoryChart, quality: HistoryChart } | null} */
let charts = null;
/** @type {WorldMap | null} */
let map = null;
const graph = new SwarmGraph(find("graph"));
/** @type {EventSource | null} */
let events = null;

find("login").addEventListener("submit", (event) => {
  event.preventDefault();
  void signIn();
});
find("leave").addEventListener("click", () => void fetch("/dashboard/session", { method: "DELETE" }).then(showLogin));
find("all").addEventListener("click", () => choose({ content: "", of: "" }));
find("filter").addEventListener("input", showRows);
for (const name of ["site", "range"]) {
  const select = /** @type {HTMLSelectElement} */ (find(name));
  if (name === "range" && chosen.get("range")) select.value = chosen.get("range") ?? "";
  select.addEventListener("change", () => choose({ [name]: select.value, content: "", of: "" }));
}
setInterval(() => charts && !document.hidden && void loadHistory(), HISTORY_MS);
setInterval(() => charts && !document.hidden && void loadGraph(), GRAPH_MS);
void begin();

async function begin() {
  const answer = await fetch(`/dashboard/now?${scope()}`);
  if (!answer.ok) return showLogin(answer.status === 403 ? (await answer.json()).error : "");
  state.now = await answer.json();
  find("login").hidden = true;
  find("board").hidden = find("controls").hidden = false;
  charts ??= makeCharts();
  map ??= new WorldMap(find("map"));
  showNow();
  follow();
  await Promise.all([loadHistory(), loadGraph()]);
}

async function signIn() {
  const input = /** @type {HTMLInputElement} */ (find("token"));
  const answer = await fetch("/dashboard/session", { method: "POST", headers: { Authorization: `Bearer ${input.value}` } });
  if (!answer.ok)
    return say("login-problem", answer.status === 401 ? "That token is not known here." : (await answer.json()).error);
  input.value = "";
  say("login-problem", "");
  await begin();
}

/** @param {unknown} [problem] */
function showLogin(problem) {
  events?.close();
  find("board").hidden = find("controls").hidden = true;
  find("login").hidden = false;
  say("live", "signed out");
  if (typeof problem === "string") say("login-problem", problem);
  find("token").focus();
}

/** What the server is asked of; a content is one of a site. */
function scope() {
  const asked = new URLSearchParams();
  const site = chosen.get("of") || chosen.get("site");
  if (site) asked.set("site", site);
  return asked;
}

function historyScope() {
  const asked = scope();
  asked.set("range", /** @type {HTMLSelectElement} */ (find("range")).value);
  if (chosen.get("content")) asked.set("content", chosen.get("content") ?? "");
  return asked;
}

/** @param {Record<string, string>} choice */
function choose(choice) {
  for (const [name, value] of Object.entries(choice)) {
    if (value) chosen.set(name, value);
    else chosen.delete(name);
  }
  history.replaceState(null, "", `?${chosen}`);
  void begin();
}

function follow() {
  events?.close();
  events = new EventSource(`/dashboard/live?${scope()}`);
  events.onmessage = ({ data }) => {
    state.now = JSON.parse(data);
    showNow();
  };
  events.onerror = () => {
    if (events?.readyState === EventSource.CLOSED) void begin().catch(() => say("live", "the tracker does not answer"));
    else say("live", "reconnecting");
  };
}

function showNow() {
  const { now } = state;
  const selected = chosen.get("content");
  const content = selected && now.contents.find((/** @type {any} */ one) => one.content === selected);
  const sharing = content ? content.figures : now.sharing;
  say("live", `live, last ${Math.round(now.window_s)} s`);
  say("viewers", content ? number(sharing.viewers, 0) : whole(now.viewers));
  say(
    "viewers-more",
    `of ${whole(now.swarms)} ${now.swarms === 1 ? "content" : "contents"}, and ${whole(now.held_out_viewers)} in the holdout`,
  );
  const machine = now.machine;
  find("map-card").hidden = find("nat-card").hidden = !machine;
  if (machine && map) {
    const elsewhere = map.show(machine.countries);
    const known = Object.keys(machine.countries).length;
    say(
      "map-more",
      known === 0
        ? "No country is known: name databases by geoip_databases."
        : elsewhere
          ? `${elsewhere} viewers where the map has no outline`
          : "",
    );
    list("nat", [
      ...Object.entries(machine.nats).map(([mapping, count]) => [`NAT ${mapping}`, whole(/** @type {number} */ (count))]),
      ...machine.attempts.map((/** @type {any} */ one) => [
        `connected, ${one.nats.join(" and ")}`,
        percent(one.connected / (one.connected + one.failed)),
      ]),
      ["WebSockets", `${whole(machine.connections)} of ${whole(machine.connections_max)}`],
      ["Lateness of the loop", duration(machine.loop_lag_ms)],
    ]);
  }
  const notices = now.notices.map((/** @type {string} */ text) => element("li", text));
  find("notices").replaceChildren(...notices);
  const site = /** @type {HTMLSelectElement} */ (find("site"));
  if (!chosen.get("of") && now.sites.length > 0 && site.options.length !== now.sites.length + 1) {
    site.replaceChildren(new Option("all", ""), ...now.sites.map((/** @type {string} */ name) => new Option(name, name)));
    site.value = chosen.get("site") ?? "";
  }
}

async function loadHistory() {
  const asked = historyScope();
  const answer = await fetch(`/dashboard/history?${asked}`);
  if (answer.status === 401) return showLogin();
  if (!answer.ok || !charts) return say("live", (await answer.json()).error);
  const report = await answer.json();
  state.history = report;
  find("csv").setAttribute("href", `/dashboard/history.csv?${asked}`);
  find("json").setAttribute("href", `/dashboard/history?${asked}`);
  find("empty").hidden = report.at_s.length > 0;
  find("charts").hidden = report.at_s.length === 0;
  charts.sources.show(stackedRates(report), report);
  charts.offload.show(
    columns(report, [
      ["sharing", "offload", 100],
      ["sharing", "bound", 100],
    ]),
    report,
  );
  charts.viewers.show(
    columns(report, [
      ["sharing", "viewers"],
      ["held_out", "viewers"],
    ]),
    report,
  );
  charts.quality.show(
    columns(report, [
      ["sharing", "first_frame_ms"],
      ["held_out", "first_frame_ms"],
      ["sharing", "slow_first_frame_ms"],
    ]),
    report,
  );
  showTotals(report);
  list(
    "events",
    Object.entries(report.events).map(([name, count]) => [
      name.replace("refused:", "refused, "),
      whole(/** @type {number} */ (count)),
    ]),
  );
  if (Object.keys(report.events).length === 0) list("events", [["None", ""]]);
  showRows();
}

/** @param {any} report */
function showTotals({ total, held_out_total: heldOut, money }) {
  say("offload", percent(total.offload));
  say("offload-more", `at most ${percent(total.bound)} was possible`);
  say("copies", number(total.copies));
  say(
    "copies-more",
    `${bytes(total.cdn_bytes)} from the CDN, ${bytes(total.site_bytes + total.isp_bytes + total.far_bytes)} from peers, ${bytes(total.relayed_bytes)} relayed`,
  );
  say("saved", saved(money));
  say(
    "saved-more",
    money
      ? `${number(money.without)} without peers; CDN ${number(money.cdn)}, TURN ${number(money.turn)}, machines ${number(money.machines)}`
      : "name your prices in the settings",
  );
  say("first-frame", duration(total.first_frame_ms));
  say("first-frame-more", beside(total.first_frame_ms, heldOut.first_frame_ms, duration));
  say("stalls", number(total.stalls_per_hour));
  say("stalls-more", beside(total.stalls_per_hour, heldOut.stalls_per_hour, number));
}

function showRows() {
  const wanted = /** @type {HTMLInputElement} */ (find("filter")).value.toLowerCase();
  const selected = chosen.get("content");
  find("all").hidden = !selected;
  /** @type {any[]} */
  const contents = state.history?.contents ?? [];
  const found = contents.filter(({ name, content, site }) => `${name} ${content} ${site}`.toLowerCase().includes(wanted));
  const rows = found.slice(0, ROWS_SHOWN).map(({ name, content, site, figures, money }) => {
    const row = document.createElement("tr");
    const first = document.createElement("td");
    if (content) {
      const button = element("button", name || content);
      button.setAttribute("type", "button");
      button.title = content;
      button.addEventListener("click", () => choose({ content, of: site }));
      first.append(button);
    } else first.textContent = "all others";
    const peers = figures.site_bytes + figures.isp_bytes + figures.far_bytes;
    const cells = [
      site || "–",
      number(figures.viewers, 1),
      bytes(peers),
      bytes(figures.cdn_bytes),
      bytes(figures.relayed_bytes),
      percent(figures.offload),
      percent(figures.bound),
      number(figures.copies),
      number(figures.stalls_per_hour),
      saved(money),
    ];
    row.append(first, ...cells.map((text) => element("td", text)));
    return row;
  });
  find("rows").replaceChildren(...rows);
  const more = found.length > ROWS_SHOWN ? `${found.length - ROWS_SHOWN} more: filter by name` : "";
  say("rows-more", contents.length === 0 ? "Nothing was watched." : found.length === 0 ? "No content has that in its name." : more);
}

async function loadGraph() {
  const content = chosen.get("content");
  if (!content) {
    state.graph = null;
    find("graph").replaceChildren();
    find("providers").replaceChildren();
    return say("graph-more", "Choose a content in the table above.");
  }
  const asked = scope();
  asked.set("content", content);
  const answer = await fetch(`/dashboard/swarm?${asked}`);
  if (!answer.ok) return say("graph-more", (await answer.json()).error);
  state.graph = await answer.json();
  const { members, members_total: total, reported } = state.graph;
  const providers = graph.show(state.graph);
  const shown = members.length < total ? `${members.length} of ${total} viewers` : `${total} viewers`;
  say("graph-more", reported < members.length ? `${shown}; ${reported} have reported their neighbours since you look` : shown);
  find("providers").replaceChildren(
    ...providers.slice(0, 8).map((provider, index) => {
      const item = element("li", provider || "provider unknown");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
      svg.setAttribute("viewBox", "0 0 10 10");
      for (const [name, value] of Object.entries({ cx: "5", cy: "5", r: "5", fill: colourOf(index) }))
        circle.setAttribute(name, value);
      svg.append(circle);
      item.prepend(svg);
      return item;
    }),
  );
}

function makeCharts() {
  return {
    sources: new HistoryChart(
      find("chart-sources"),
      [
        { label: "same line", colour: "--peers", fills: true },
        { label: "same provider", colour: "--isp", fills: true },
        { label: "other peers", colour: "--far", fills: true },
        { label: "relayed", colour: "--relayed", fills: true },
        { label: "CDN", colour: "--cdn", fills: true, dash: [6, 3] },
      ],
      (mbps) => `${mbps >= 100 ? mbps.toFixed(0) : mbps.toPrecision(2)} Mbit/s`,
    ),
    offload: new HistoryChart(
      find("chart-offload"),
      [
        { label: "offload", colour: "--peers" },
        { label: "bound", colour: "--faint", dash: [6, 3] },
      ],
      (part) => `${part.toFixed(0)} %`,
    ),
    viewers: new HistoryChart(
      find("chart-viewers"),
      [
        { label: "sharing", colour: "--peers" },
        { label: "holdout", colour: "--cdn", dash: [6, 3] },
      ],
      (count) => whole(count),
    ),
    quality: new HistoryChart(
      find("chart-quality"),
      [
        { label: "sharing, median", colour: "--peers" },
        { label: "holdout, median", colour: "--cdn", dash: [6, 3] },
        { label: "sharing, slowest of twenty", colour: "--far", dash: [2, 3] },
      ],
      duration,
    ),
  };
}

/** @param {string} id @param {string[][]} pairs */
function list(id, pairs) {
  find(id).replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", name ?? ""), element("dd", value ?? "")]));
}

/** @param {string} name @param {string} text */
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
