/**
 * The public surface, as TypeScript sees it in a site's project. A name that comes, goes or means something else is an error here: change it
 * on purpose, and say so in CHANGELOG.md.
 */

import type {
  AttachOptions,
  ByteTotals,
  FetchReason,
  FileInit,
  FileProgress,
  NoticeOptions,
  Options,
  PeerEvent,
  PeerStats,
  PoolEvents,
  SegmentEvent,
  SegmentTotals,
  State,
  StateEvent,
  Stats,
  TokenSource,
} from "media-peerpool";
import * as PeerPool from "media-peerpool";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

same<
  keyof typeof PeerPool,
  | "attach"
  | "configure"
  | "consent"
  | "debug"
  | "elements"
  | "fetch"
  | "intercept"
  | "leave"
  | "notice"
  | "off"
  | "on"
  | "stats"
  | "version"
>(true);
same<
  keyof Options,
  | "tracker"
  | "enabled"
  | "content"
  | "cacheBytes"
  | "uploadLimitBps"
  | "uploadRatioMax"
  | "neighbours"
  | "consent"
  | "uploadOnCellular"
  | "addresses"
  | "intercept"
  | "fileCacheBytes"
  | "worker"
  | "site"
  | "token"
>(true);
same<PoolEvents, { segment: SegmentEvent; peer: PeerEvent; state: StateEvent }>(true);
same<
  keyof SegmentEvent,
  "url" | "sizeBytes" | "peerBytes" | "source" | "reason" | "track" | "type" | "number" | "init" | "durationSec"
>(true);
same<SegmentEvent["reason"], FetchReason | null>(true);
same<FetchReason, "unsigned" | "retry" | "alone" | "urgent" | "leader" | "backoff" | "late">(true);
same<PeerEvent, { peer: string; state: "connected" | "closed" }>(true);
same<StateEvent, { state: State }>(true);
same<keyof PeerStats, "peer" | "rttSec" | "far" | "relayed" | "uploads" | "proven" | "openPieces" | "downBytes" | "upBytes">(true);
same<
  keyof Stats,
  "version" | "enabled" | "state" | "content" | "peerId" | "neighbours" | "clusterSize" | "peers" | "bytes" | "segments"
>(true);
same<State, "off" | "unseen" | "idle" | "joining" | "alone" | "sharing" | "refused" | "banned" | "holdout" | "no-relay">(true);
same<Stats["state"], State>(true);
same<keyof ByteTotals, "fromPeers" | "fromFar" | "relayed" | "fromCdn" | "toPeers" | "wasted" | "rejected">(true);
same<keyof SegmentTotals, "fromPeers" | "fromCdn" | "mixed">(true);
same<FileProgress, { loadedBytes: number; totalBytes: number; peerBytes: number }>(true);
same<keyof NoticeOptions, "text" | "labels" | "link" | "container" | "reopen">(true);
same<keyof AttachOptions, "content" | "shaka">(true);
same<TokenSource, () => string | null | Promise<string | null>>(true);

/** What a page may write. Checked, and never called. */
export async function right(): Promise<void> {
  PeerPool.configure({});
  const token: TokenSource = async () => (await fetch("/token")).text();
  PeerPool.configure({
    enabled: true,
    content: null,
    uploadLimitBps: Number.POSITIVE_INFINITY,
    addresses: "relay",
    token,
    site: "news",
  });
  const end: () => void = PeerPool.intercept();
  end();
  const close: () => void = PeerPool.debug();
  close();
  const listener = ({ url, sizeBytes, peerBytes }: SegmentEvent): string => `${url} ${sizeBytes - peerBytes}`;
  PeerPool.on("segment", listener);
  PeerPool.off("segment", listener);
  PeerPool.on("segment", ({ sizeBytes }) => sizeBytes.toFixed());
  PeerPool.on("peer", ({ peer, state }) => `${peer} ${state}`);
  PeerPool.on("state", ({ state }) => state === "sharing");
  const answer: "granted" | "denied" | "unasked" = PeerPool.consent();
  if (answer === "unasked") PeerPool.consent(true);
  await PeerPool.notice();
  await PeerPool.notice({ text: "Share?", labels: { allow: "Yes" }, reopen: true, container: document.body });
  const init: FileInit = { method: "GET", content: "movie", progress: ({ loadedBytes, totalBytes }) => loadedBytes / totalBytes };
  const response: Response = await PeerPool.fetch(new URL("https://cdn.example/movie.mp4"), init);
  await response.arrayBuffer();
  const stats: Stats = PeerPool.stats();
  (stats.bytes.fromPeers + stats.segments.mixed).toFixed();
  PeerPool.version.split(".");
  PeerPool.elements();
  PeerPool.leave();
}

/** What the compiler is to refuse. */
export function wrong(): void {
  // @ts-expect-error there is no such option
  PeerPool.configure({ neighbors: 8 });
  // @ts-expect-error not text
  PeerPool.configure({ neighbours: "8" });
  // @ts-expect-error not one of its words
  PeerPool.configure({ consent: "asked" });
  // @ts-expect-error left out, and not undefined
  PeerPool.configure({ content: undefined });
  // @ts-expect-error no such event
  PeerPool.on("stall", () => {});
  // @ts-expect-error no such field
  PeerPool.on("segment", ({ bytes }) => bytes);
  // @ts-expect-error no player
  PeerPool.attach({});
  // @ts-expect-error not text
  PeerPool.consent("yes");
  // @ts-expect-error no such label
  PeerPool.notice({ labels: { yes: "Yes" } });
  // @ts-expect-error not text
  PeerPool.fetch("/movie.mp4", { content: 5 });
  // @ts-expect-error no such total
  PeerPool.stats().bytes.fromMars.toFixed();
  // @ts-expect-error nobody outside has the pool
  PeerPool.pool;
}
