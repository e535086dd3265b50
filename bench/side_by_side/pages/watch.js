// First script of every page of the bench, the same for every product: counts what arrives over data channels, whoever
// opened them, and keeps what goes wrong. `player.js` adds the rest.
(() => {
  const bench = { channelBytes: 0, connections: 0, errors: [] };
  window.sideBySide = bench;

  addEventListener("error", (event) => bench.errors.push(`uncaught: ${event.message}`));
  addEventListener("unhandledrejection", (event) => bench.errors.push(`unhandled: ${event.reason}`));

  const count = (channel) => {
    channel.addEventListener("message", ({ data }) => {
      bench.channelBytes += data.byteLength ?? data.size ?? data.length;
    });
    return channel;
  };

  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...parameters) {
      super(...parameters);
      bench.connections += 1;
      super.addEventListener("datachannel", ({ channel }) => count(channel));
    }

    createDataChannel(...parameters) {
      return count(super.createDataChannel(...parameters));
    }
  };
})();
