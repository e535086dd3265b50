// A site's own player, as e2e/harness/page_server.py serves it: plays ?src= with hls.js, without a worker, which Trusted Types would
// forbid. What e2e/harness/viewers.py reads of the demo page is in `window.demo` here too.
(() => {
  const query = new URLSearchParams(location.search);
  const video = document.querySelector("video");
  const hls = new window.Hls({ enableWorker: false });
  const demo = { hls, video, errors: [], firstFrameMs: null };
  window.demo = demo;
  hls.on(window.Hls.Events.ERROR, (_event, { details, fatal }) => demo.errors.push(`${fatal ? "fatal " : ""}${details}`));
  const level = Number(query.get("level") ?? 0);
  hls.on(window.Hls.Events.MANIFEST_PARSED, () => {
    hls.currentLevel = level;
  });
  video.requestVideoFrameCallback?.((now) => {
    demo.firstFrameMs = now;
  });
  video.addEventListener("timeupdate", () => {
    if (video.currentTime > 0) demo.firstFrameMs ??= performance.now();
  });
  hls.loadSource(query.get("src"));
  hls.attachMedia(video);
  video.autoplay = true;
  video.play().catch(() => {});
})();
