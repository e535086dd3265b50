/** The part of hls.js 1.x that players/hlsjs.js touches. */

export interface LoaderStats {
  aborted: boolean;
  loaded: number;
  retry: number;
  total: number;
  chunkCount: number;
  bwEstimate: number;
  loading: { start: number; first: number; end: number };
  parsing: { start: number; end: number };
  buffering: { start: number; first: number; end: number };
}

export interface LoaderContext {
  url: string;
  responseType: string;
  rangeStart?: number;
  /** Exclusive; 0 or absent for the whole resource. */
  rangeEnd?: number;
  frag?: { start: number };
  /** Of `frag`, in low-latency mode. */
  part?: { start: number } | null;
}

export interface LoaderConfig {
  /** Since 1.4. */
  loadPolicy?: { maxTimeToFirstByteMs: number; maxLoadTimeMs: number };
  timeout: number;
}

export interface LoaderCallbacks {
  onSuccess(
    response: { url: string; data?: unknown; code?: number },
    stats: LoaderStats,
    context: LoaderContext,
    details: unknown,
  ): void;
  onError(error: { code: number; text: string }, context: LoaderContext, details: unknown, stats: LoaderStats): void;
  onTimeout(stats: LoaderStats, context: LoaderContext, details: unknown): void;
  onAbort?(stats: LoaderStats, context: LoaderContext, details: unknown): void;
  onProgress?(stats: LoaderStats, context: LoaderContext, data: ArrayBuffer, details: unknown): void;
}

export interface Loader {
  context: LoaderContext | null;
  stats: LoaderStats;
  load(context: LoaderContext, config: LoaderConfig, callbacks: LoaderCallbacks): void;
  abort(): void;
  destroy(): void;
  getCacheAge?(): number | null;
  getResponseHeader?(name: string): string | null;
}

export interface LoaderClass {
  // biome-ignore lint/suspicious/noExplicitAny: a mixin's base must take any arguments (TS2545)
  new (...args: any[]): Loader;
}

export interface HlsConfig {
  loader?: LoaderClass;
  pLoader?: LoaderClass;
  fLoader?: LoaderClass;
  xhrSetup?: unknown;
  fetchSetup?: unknown;
  [option: string]: unknown;
}

export interface HlsLike {
  media: HTMLMediaElement | null;
  config: HlsConfig;
  on(event: string, listener: (event: string, data?: { url?: string }) => void): void;
}

export interface HlsClass {
  // biome-ignore lint/suspicious/noExplicitAny: a mixin's base must take any arguments (TS2545)
  new (...args: any[]): HlsLike;
}
