/** Which adapter is whose: players are told apart by their shape, for a bundler leaves them no other name. */

import { attachDashjs, isDashjs } from "./dashjs.js";
import { attachHls } from "./hlsjs.js";
import { attachShaka, isShaka } from "./shaka.js";
import { attachVideojs, isVideojs } from "./videojs.js";

/** @typedef {import("../pool.js").Pool} Pool */
/** @typedef {import("../surface.js").KnownPlayer} KnownPlayer */
/** @typedef {import("../surface.js").AttachOptions} AttachOptions */

/**
 * One kind of player.
 * @typedef {object} Adapter
 * @property {(player: any) => boolean} looksLike  whether it is one; asked of objects only
 * @property {(pool: Pool, player: any, options: AttachOptions) => void} attach  the second time for the same player does nothing
 */

/** The first that fits is taken. @type {Adapter[]} */
const ADAPTERS = [
  { looksLike: ({ loadSource, config }) => typeof loadSource === "function" && !!config, attach: attachHls },
  { looksLike: isDashjs, attach: attachDashjs },
  { looksLike: isShaka, attach: attachShaka },
  { looksLike: isVideojs, attach: attachVideojs },
];

/**
 * Puts a player into the pool. One that nobody knows plays without us.
 * @param {Pool} pool @param {KnownPlayer} player @param {AttachOptions} [options]
 */
export function attachPlayer(pool, player, options = {}) {
  const adapter = Object(player) === player && ADAPTERS.find(({ looksLike }) => looksLike(player));
  if (adapter) adapter.attach(pool, player, options);
  else
    reportError(new TypeError("PeerPool.attach takes a player that docs/players.md names; others share by PeerPool.intercept()"));
}
