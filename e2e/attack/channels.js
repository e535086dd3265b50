// Runs in a viewer's page before any script of it: knows its data channels, to tell what they have not sent yet.
(() => {
  const channels = new Set();
  const create = RTCPeerConnection.prototype.createDataChannel;
  RTCPeerConnection.prototype.createDataChannel = function (...parameters) {
    const channel = Reflect.apply(create, this, parameters);
    channels.add(channel);
    return channel;
  };
  Object.defineProperty(window, "attackBuffered", {
    value: () => [...channels].reduce((sum, channel) => sum + (channel.readyState === "open" ? channel.bufferedAmount : 0), 0),
  });
})();
