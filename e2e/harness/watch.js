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

  // Without a secure context there is no crypto.subtle; what is found is compared with what the origin's log says.
  const sha256 = async (buffer) =>
    crypto.subtle
      ? crypto.subtle.digest("SHA-256", buffer)
      : (await import(new URL("/peerpool-crypto.js", location.href).href)).sha256(new Uint8Array(buffer));

  // hls.js transfers a payload to its worker before it says that the fragment is loaded, and a transferred buffer is
  // empty; what is told then is still the same object, so the copy made here is found by it.
  const copies = new WeakMap();
  const postMessage = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message, transfer) {
    for (const item of Array.isArray(transfer) ? transfer : []) {
      if (item instanceof ArrayBuffer) copies.set(item, item.slice(0));
    }
    return Reflect.apply(postMessage, this, [message, transfer]);
  };

  function record(_event, data) {
    const { frag, part, payload } = data;
    if (!payload) return;
    const copy = copies.get(payload) ?? payload.slice(0);
    const entry = { path: new URL((part ?? frag).url).pathname, sizeBytes: copy.byteLength, atMs: performance.now(), sha256: "" };
    bed.segments.push(entry);
    bed.digests.push(
      sha256(copy).then((digest) => {
        entry.sha256 = hex(digest);
      }),
    );
  }

  // The page makes its player some time after this script; the first fragment needs several requests after that.
  const timer = setInterval(() => {
    const hls = window.demo?.hls;
    if (!hls) return;
    clearInterval(timer);
    hls.on("hlsFragLoaded", record);
  }, 5);
})();
