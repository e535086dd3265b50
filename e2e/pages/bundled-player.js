// A player inside a bundle: hls.js is imported and never exposed. `progressive` loads by fetch.
import Hls from "hls.js";

const query = new URLSearchParams(location.search);
const video = document.querySelector("video");
const hls = new Hls({ enableWorker: false, progressive: query.has("progressive") });
const demo = { video, errors: [], stalls: 0 };
window.demo = demo;
hls.on(Hls.Events.ERROR, (_event, { details, fatal }) => demo.errors.push(`${fatal ? "fatal " : ""}${details}`));
hls.on(Hls.Events.MANIFEST_PARSED, () => {
  hls.currentLevel = 0;
});
video.addEventListener("waiting", () => {
  if (video.played.length > 0 && !video.seeking) demo.stalls += 1;
});
hls.loadSource(query.get("src"));
hls.attachMedia(video);
video.autoplay = true;
video.play().catch(() => {});
