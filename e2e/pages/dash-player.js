// A site's own page that plays ?src= with dash.js, automatic or by PeerPool.attach where ?attach is given. `demo` is what the tests read.
(() => {
  const query = new URLSearchParams(location.search);
  const video = document.querySelector("video");
  const player = window.dashjs.MediaPlayer().create();
  const demo = { video, player, errors: [], stalls: 0, throughputs: [] };
  window.demo = demo;
  player.on("error", ({ error }) => demo.errors.push(`${error.code} ${error.message}`));
  player.on("throughputMeasurementStored", ({ throughputValues }) => demo.throughputs.push(throughputValues.value));
  video.addEventListener("waiting", () => {
    if (video.played.length > 0 && !video.seeking) demo.stalls += 1;
  });
  player.updateSettings({
    streaming: {
      utcSynchronization: { enabled: false }, // it would ask a server on the internet
      delay: { liveDelay: 6 },
      abr: { autoSwitchBitrate: { video: query.has("abr") }, initialBitrate: { video: 1 } },
    },
  });
  player.initialize(video, query.get("src"), true);
})();
