// Bundled by esbuild from the unmodified npm packages; `player.js` uses it.
import { HlsJsP2PEngine } from "p2p-media-loader-hlsjs";

window.HlsJsP2PEngine = HlsJsP2PEngine;
