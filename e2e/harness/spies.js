// Runs before any script of a page: writes down every connection a script makes, what the page's policy forbade, and what ran that
// should not have.
(() => {
  const seen = { sockets: [], peerConnections: 0, preconnects: 0, violations: [], dialogs: 0 };
  Object.defineProperty(window, "seen", { value: seen });
  const spy = (name, note) => {
    if (!window[name]) return;
    window[name] = new Proxy(window[name], {
      construct(target, parameters, newTarget) {
        note(parameters);
        return Reflect.construct(target, parameters, newTarget);
      },
    });
  };
  spy("WebSocket", ([url]) => seen.sockets.push(String(url)));
  spy("RTCPeerConnection", () => {
    seen.peerConnections += 1;
  });
  for (const name of ["alert", "confirm", "prompt"]) {
    window[name] = () => {
      seen.dialogs += 1;
    };
  }
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) =>
    seen.violations.push(`${violatedDirective} ${blockedURI} ${sample}`),
  );
  new MutationObserver((records) => {
    for (const { addedNodes } of records) {
      for (const node of addedNodes) if (/preconnect|dns-prefetch/.test(node.rel ?? "")) seen.preconnects += 1;
    }
  }).observe(document, { childList: true, subtree: true });
})();
