/** Words for what the pool does and why: of its state, and of each reason to ask the CDN. */

/** @typedef {import("../surface.js").FetchReason} FetchReason */
/** @typedef {import("../surface.js").State} State */

/**
 * What is looked at.
 * @typedef {object} Situation
 * @property {State} state
 * @property {import("../options.js").Options} options
 * @property {string} consent  the viewer's remembered answer
 * @property {string} tracker  state of the connection to it
 * @property {number} fromPeersBytes
 * @property {number} toPeersBytes
 * @property {boolean} webrtc  whether this browser has it
 * @property {boolean} saver  whether it is to save data
 */

/** @type {Record<FetchReason, string>} */
export const REASONS = {
  unsigned: "Neighbours cannot be used for it: nobody has signed it, or the CDN's bytes are not those signed",
  retry: "Asked again after the CDN failed",
  alone: "Nobody is connected",
  urgent: "No neighbour had it, and the player could not wait",
  leader: "Our turn: we fetched the one before, for all",
  backoff: "No neighbour had it, and we were first to fetch it for all",
  late: "Neighbours would not have brought it in time",
};

/** @type {Record<Exclude<State, "off" | "sharing">, string>} */
const STATES = {
  idle: "No stream is loaded yet that is known: no manifest has passed by.",
  unseen: "The player loads in a Worker of its own, where nothing of it can be seen. Turn its worker off, or use an adapter.",
  alone: "Joined, and nobody else of this stream is connected yet. Open the page once more, in another window.",
  joining: "Connecting to the tracker.",
  holdout: "The tracker lets this viewer fetch alone, to compare with those who share.",
  "no-relay": "addresses is “relay”, and the tracker names no TURN server.",
  refused: "The tracker refuses this page: look at site and token, and at its log.",
  banned: "The tracker has banned this browser, for wrong bytes.",
};

/** @param {Situation} situation @returns {string} why nothing is shared; or, while something is, what limits it */
export function explain(situation) {
  const { state, tracker, toPeersBytes, fromPeersBytes, options } = situation;
  if (state === "sharing") {
    if (options.uploadLimitBps === 0) return "Neighbours are connected; nothing is sent to them, as uploadLimitBps is 0.";
    if (fromPeersBytes + toPeersBytes > 0) return "Shared with neighbours.";
    return "Neighbours are connected; nothing has been passed on yet.";
  }
  if (state === "off") return whyOff(situation);
  if (state === "joining" && tracker === "waiting") {
    return `The tracker at ${options.tracker} cannot be reached; it is tried again. The page's policy needs its ws(s) URL in connect-src.`;
  }
  return STATES[state];
}

/** @param {Situation} situation */
function whyOff({ options, consent, webrtc, saver, tracker }) {
  if (!options.enabled) return "Switched off: enabled is false.";
  if (options.tracker === "") return "No tracker is configured.";
  if (consent === "denied") return "The viewer has declined.";
  if (options.consent === "required" && consent !== "granted") return "The viewer has not been asked yet, and consent is required.";
  if (!webrtc) return "This browser has no WebRTC, or an extension has taken it away.";
  if (saver) return "The browser is set to save data.";
  if (tracker === "off") return "The tracker has said that it has no place for this page; it is not asked again.";
  return "Nothing may be shared now.";
}
