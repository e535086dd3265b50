// A player of p2p-media-loader, as its users write one, for e2e/test_interop.py, which bundles this with esbuild. What
// e2e/harness/viewers.py reads of our own demo page is in `window.demo`; what only this library knows, in
// `window.interop`.
import Hls from "hls.js";
import { HlsJsP2PEngine } from "p2p-media-loader-hlsjs";

const HlsWithP2P = HlsJsP2PEngine.injectMixin(Hls);

window.startInterop = ({ src, tracker, swarmId, peerIdPrefix, level }) => {
  const interop = { peers: [], httpBytes: 0, p2pBytes: 0, p2pSegments: [], uploadedBytes: 0, trackerProblems: [] };
  window.interop = interop;

  const video = document.createElement("video");
  video.muted = true;
  video.autoplay = true;
  document.body.append(video);

  const hls = new HlsWithP2P({
    liveSyncDurationCount: 5,
    p2p: {
      core: {
        swarmId,
        announceTrackers: [tracker],
        trackerClientVersionPrefix: peerIdPrefix,
        // No STUN: the viewers are on one machine.
        rtcConfig: { iceServers: [] },
        // Segments further ahead than this, in seconds, come from peers first. With the default, 15, sharing begins
        // later, and a live viewer close to the edge never shares at all.
        highDemandTimeWindow: 3,
      },
      onHlsJsCreated: ({ p2pEngine }) => watch(p2pEngine, interop),
    },
  });
  const demo = { hls, video, errors: [], firstFrameMs: null };
  window.demo = demo;
  hls.on(Hls.Events.ERROR, (_event, { type, details, fatal }) => {
    demo.errors.push(`${fatal ? "fatal" : "passing"}: ${type} ${details}`);
  });
  hls.once(Hls.Events.MANIFEST_PARSED, () => {
    hls.loadLevel = level;
  });
  video.requestVideoFrameCallback((now) => {
    demo.firstFrameMs = now;
  });
  hls.attachMedia(video);
  hls.loadSource(src);
};

function watch(engine, interop) {
  engine.addEventListener("onPeerConnect", ({ peerId, streamType }) => interop.peers.push({ peerId, streamType }));
  engine.addEventListener("onChunkDownloaded", (sizeBytes, source) => {
    interop[source === "p2p" ? "p2pBytes" : "httpBytes"] += sizeBytes;
  });
  engine.addEventListener("onSegmentLoaded", ({ segmentUrl, downloadSource }) => {
    if (downloadSource === "p2p") interop.p2pSegments.push(new URL(segmentUrl).pathname);
  });
  engine.addEventListener("onChunkUploaded", (sizeBytes) => {
    interop.uploadedBytes += sizeBytes;
  });
  engine.addEventListener("onTrackerError", ({ error }) => interop.trackerProblems.push(`error: ${error}`));
  engine.addEventListener("onTrackerWarning", ({ warning }) => interop.trackerProblems.push(`warning: ${warning}`));
}
