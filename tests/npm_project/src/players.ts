/** Players' own types, as npm has them, are what `attach` takes. Checked, and never called. */

import { MediaPlayer } from "dashjs";
import Hls from "hls.js";
import type { KnownPlayer } from "media-peerpool";
import * as PeerPool from "media-peerpool";
import shaka from "shaka-player";
import videojs from "video.js";

export function attachAll(): KnownPlayer[] {
  const known = [new Hls(), MediaPlayer().create(), new shaka.Player(), videojs("player")];
  for (const player of known) PeerPool.attach(player);
  PeerPool.attach(new Hls(), { content: "channel-1" });
  PeerPool.attach(new shaka.Player(), { shaka });
  return known;
}
