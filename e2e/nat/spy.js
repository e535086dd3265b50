// Runs in a viewer's page before any script of it: keeps its connections, and hears what it tells the tracker of its NAT.
(() => {
  const connections = [];
  window.natSpy = {
    mapping: null,
    /** How many connections there were, and the names of the ways that are used: new with each restart of ICE. */
    connections: () => connections.length,
    fragments: () =>
      connections
        .filter(({ connectionState }) => connectionState === "connected")
        .map(({ localDescription }) => /a=ice-ufrag:(\S+)/.exec(localDescription.sdp)[1])
        .join(),
    /** The ends of each way that is used: "host-srflx udp", "relay(tcp)-srflx udp", "host-host udp6". */
    async ways() {
      const found = [];
      for (const connection of connections) {
        if (connection.connectionState !== "connected") continue;
        const stats = await connection.getStats();
        for (const { type, selectedCandidatePairId } of stats.values()) {
          const pair = type === "transport" ? stats.get(selectedCandidatePairId) : undefined;
          if (!pair) continue;
          const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
          const ends = [local, remote].map(({ candidateType, relayProtocol }) =>
            relayProtocol ? `${candidateType}(${relayProtocol})` : candidateType,
          );
          const six = [local, remote].some(({ address }) => address?.includes(":")) ? "6" : "";
          found.push(`${ends.join("-")} ${local.protocol}${six}`);
        }
      }
      return found.join(", ");
    },
  };
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, parameters, newTarget) {
      const connection = Reflect.construct(target, parameters, newTarget);
      connections.push(connection);
      return connection;
    },
  });
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (typeof data === "string" && data.includes('"type":"nat"')) window.natSpy.mapping = JSON.parse(data).mapping;
    return Reflect.apply(send, this, [data]);
  };
})();
