/** The part of dash.js 5 that players/dashjs.js touches. */

/** What dash.js itself knows of a request. */
export interface FragmentRequest {
  /** "MPD", "InitializationSegment", "MediaSegment", ... */
  type: string;
  /** Seconds on the media element's timeline; NaN where it is no media segment. */
  startTime?: number;
  firstByteDate: Date | null;
  traces: unknown[];
}

export interface Progress {
  loaded: number;
  total: number;
  lengthComputable: boolean;
  /** Milliseconds since the progress before it; by the clock without it. */
  time?: number;
}

/** CommonMediaRequest of CTA-5006-A. */
export interface MediaRequest {
  url: string;
  method: string;
  responseType: string;
  headers?: Record<string, string>;
  credentials: string;
  /** Milliseconds; 0 for none. */
  timeout: number;
  /** Where it is set, no resource timing is looked for under the request's URL. */
  range?: unknown;
  customData: {
    request: FragmentRequest;
    onloadend?: (() => void) | undefined;
    onprogress?: ((progress: Progress) => void) | undefined;
    onabort?: (() => void) | undefined;
    ontimeout?: ((progress: Progress) => void) | undefined;
    /** Set by the loader. */
    abort?: () => void;
  };
}

/** CommonMediaResponse of CTA-5006-A. */
export interface MediaResponse {
  url?: string;
  status: number;
  statusText?: string;
  headers?: Record<string, string>;
  data?: unknown;
}

export interface XhrLoader {
  load(request: MediaRequest, response: MediaResponse): void;
  abort(request?: MediaRequest): void;
  reset(): void;
  resetInitialSettings(): void;
}

export interface DashjsPlayer {
  initialize(view?: HTMLMediaElement, source?: unknown, ...rest: unknown[]): void;
  attachView(view: HTMLMediaElement | null): void;
  attachSource(source: unknown, ...rest: unknown[]): void;
  reset(): void;
  destroy(): void;
  /** @throws without one */
  getVideoElement(): HTMLMediaElement;
  extend(name: "XHRLoader", extension: (this: { parent: XhrLoader }) => XhrLoader, override: boolean): void;
}
