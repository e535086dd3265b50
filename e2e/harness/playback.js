// Runs before any script of a page: what can be seen of any player from outside, by the events of its media element.
(() => {
  const seen = { stalls: 0, heights: [], errors: [], ended: false, peerConnections: 0 };
  Object.defineProperty(window, "playback", { value: seen });
  const on = (name, note) => document.addEventListener(name, ({ target }) => note(target), true);
  on("waiting", ({ played, seeking, currentTime, duration }) => {
    // Before its first frame, while it seeks and at its very end an element waits without having stalled.
    if (played.length > 0 && !seeking && !(duration - currentTime < 0.5)) seen.stalls += 1;
  });
  on("resize", ({ videoHeight }) => {
    if (videoHeight && videoHeight !== seen.heights.at(-1)) seen.heights.push(videoHeight);
  });
  on("error", ({ error }) => error && seen.errors.push(`media error ${error.code}: ${error.message}`));
  on("ended", () => {
    seen.ended = true;
  });
  if (window.RTCPeerConnection) {
    window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
      construct(target, parameters, newTarget) {
        seen.peerConnections += 1;
        return Reflect.construct(target, parameters, newTarget);
      },
    });
  }
})();
