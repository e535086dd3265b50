/** A site's own module: the library by npm, hls.js beside it, and a page that says how it went. */

import Hls from "hls.js";
import * as PeerPool from "media-peerpool";

declare global {
  interface Window {
    site: { PeerPool: typeof PeerPool; hls: Hls };
  }
}

const query = new URLSearchParams(location.search);
const video = document.querySelector("video");
const hls = new Hls();
PeerPool.configure({ tracker: query.get("tracker") ?? "https://tracker.example", neighbours: 4 });
PeerPool.attach(hls);
PeerPool.elements();
if (video) hls.attachMedia(video);
const source = query.get("src");
if (source) hls.loadSource(source);
window.site = { PeerPool, hls };
