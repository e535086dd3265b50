// Runs in every viewer page before any script of the page: remembers what the player was given, and counts peer
// connections, without the page or the library noticing.
(() => {
  const bed = { segments: [], digests: [], peerConnections: 0 };
  Object.defineProperty(window, "peerpoolBed", { value: bed });

  if (window.RTCPeerConnection) {
    window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
      construct(target, parameters, newTarget) {
        bed.peerConnections += 1;
        return Reflect.construct(target, parameters, newTarget);
      },
    });
  }

  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

  function record(_event, data) {
    const { frag, payload } = data;
    if (!payload) return;
    const copy = payload.slice(0); // hls.js transfers the original to its worker as soon as this returns
    const entry = { path: new URL(frag.url).pathname, sizeBytes: copy.byteLength, atMs: performance.now(), sha256: "" };
    bed.segments.push(entry);
    const digested = crypto.subtle.digest("SHA-256", copy);
    bed.digests.push(digested.then((digest) => { entry.sha256 = hex(digest); }));
  }

  // The page makes its player some time after this script; the first fragment needs several requests after that.
  const timer = setInterval(() => {
    const hls = window.demo?.hls;
    if (!hls) return;
    clearInterval(timer);
    hls.on("hlsFragLoaded", record);
  }, 5);
})();
