// The player of every page of the bench: one video element, one hls.js, the same settings but for what the page's own
// query and scripts say. Query: src; level, pinned from the start; p2p-media-loader's tracker; latency=player to keep
// hls.js's own distance from the live edge where p2p-media-loader would set its own.
(() => {
  const SAMPLE_MS = 100;
  const STALL_MS = 300; // shorter than this is not seen
  const START_MS = 15_000; // what stands still later than this is no start

  const { sideBySide: bench, Hls, HlsJsP2PEngine } = window;
  const query = new URLSearchParams(location.search);
  const video = document.querySelector("video");
  const level = Number(query.get("level"));
  Object.assign(bench, { firstFrameMs: null, stalls: 0, stalledMs: 0, lateStalledMs: 0, played: [], obtained: [] });

  const hls = make();
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    hls.loadLevel = level;
  });
  hls.on(Hls.Events.FRAG_LOADED, (_event, { frag }) => bench.played.push(entry(frag.url, frag.stats.loaded)));
  hls.on(Hls.Events.ERROR, (_event, { type, details, fatal }) => {
    if (fatal) bench.errors.push(`fatal: ${type} ${details}`);
  });
  watchPlayhead();
  hls.loadSource(query.get("src"));
  hls.attachMedia(video);

  bench.report = () => ({
    first_frame_ms: bench.firstFrameMs,
    latency_s: hls.latency,
    level: hls.currentLevel,
    stalls: bench.stalls,
    stalled_ms: bench.stalledMs,
    late_stalled_ms: bench.lateStalledMs,
    channel_bytes: bench.channelBytes,
    connections: bench.connections,
    played: bench.played,
    obtained: bench.obtained,
    errors: bench.errors,
    own_bytes: window.PeerPool?.stats().bytes ?? bench.own ?? {},
  });

  function make() {
    // No worker: hls.js transfers the bytes it is given to its worker, and p2p-media-loader 2.3.1 gives it the very buffer that
    // it goes on serving to neighbours, who then get nothing and cannot parse it. Without one everybody is at their best.
    const settings = { startLevel: level, enableWorker: false };
    if (!HlsJsP2PEngine) return new Hls(settings);
    // hls.js's default; said by the page, p2p-media-loader leaves it as it is.
    if (query.get("latency") === "player") settings.liveSyncDurationCount = Hls.DefaultConfig.liveSyncDurationCount;
    const HlsWithP2P = HlsJsP2PEngine.injectMixin(Hls);
    // Its own settings all, but for where its tracker is, and no STUN: the viewers are on one machine.
    const core = { announceTrackers: [query.get("tracker")], rtcConfig: { iceServers: [] } };
    return new HlsWithP2P({ ...settings, p2p: { core, onHlsJsCreated: ({ p2pEngine }) => watchEngine(p2pEngine) } });
  }

  function watchEngine(engine) {
    bench.own = { http: 0, p2p: 0 };
    engine.addEventListener("onChunkDownloaded", (sizeBytes, source) => {
      bench.own[source] += sizeBytes;
    });
    engine.addEventListener("onSegmentLoaded", ({ segmentUrl, bytesLength }) => {
      bench.obtained.push(entry(segmentUrl, bytesLength));
    });
  }

  function entry(url, sizeBytes) {
    return [new URL(url).pathname, sizeBytes];
  }

  function watchPlayhead() {
    let lastTime = -1;
    let movedAt = 0;
    let sampledAt = 0;
    let isStanding = false;
    video.requestVideoFrameCallback(() => {
      bench.firstFrameMs = movedAt = performance.now();
      isStanding = false;
    });
    setInterval(() => {
      const now = performance.now();
      if (video.currentTime !== lastTime || video.ended) {
        lastTime = video.currentTime;
        movedAt = now;
        isStanding = false;
      } else if (isStanding) {
        add(sampledAt, now);
      } else if (now - movedAt > STALL_MS) {
        isStanding = true;
        if (bench.firstFrameMs !== null) bench.stalls += 1;
        add(movedAt, now);
      }
      sampledAt = now;
    }, SAMPLE_MS);
  }

  // Nobody pauses or seeks here: a playhead that stands still is one that a viewer sees standing still.
  function add(fromMs, toMs) {
    if (bench.firstFrameMs !== null) bench.stalledMs += toMs - fromMs;
    bench.lateStalledMs += Math.max(0, toMs - Math.max(fromMs, START_MS));
  }
})();
