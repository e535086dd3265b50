// A player that loads in a Worker: one rendition's segments come from there, the page only plays them.
(async () => {
  const src = new URLSearchParams(location.search).get("src");
  const loader = `onmessage = async ({ data }) => {
    const text = await (await fetch(data)).text();
    const names = [text.match(/URI="([^"]+)"/)[1], ...text.split("\\n").filter((line) => line && line[0] !== "#").slice(0, 3)];
    for (const name of names) postMessage(await (await fetch(new URL(name, data))).arrayBuffer());
  };`;
  const video = document.querySelector("video");
  const worker = new Worker(URL.createObjectURL(new Blob([loader], { type: "text/javascript" })));
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.4d401e"');
  const waiting = [];
  const next = () => !buffer.updating && waiting.length > 0 && buffer.appendBuffer(waiting.shift());
  buffer.onupdateend = next;
  worker.onmessage = ({ data }) => {
    waiting.push(data);
    next();
  };
  worker.postMessage(src);
  video.play().catch(() => {});
})();
