/** The second script of pages that play DASH: reads MPDs. */

export { readMpd } from "./core/mpd.js";
