/** The part of Shaka Player 5 that players/shaka.js touches. */

export interface ShakaRequest {
  method: string;
  headers: Record<string, string>;
  allowCrossSiteCredentials: boolean;
  /** Milliseconds; 0 for none. */
  retryParameters: { timeout: number; connectionTimeout: number; stallTimeout: number };
}

export interface ShakaContext {
  /** An AdvancedRequestType. */
  type?: number;
  /** Loaded ahead of a `load`, for a source that is not this player's yet. */
  isPreload?: boolean;
  segment?: { getStartTime(): number } | null;
}

export interface ShakaResponse {
  uri: string;
  originalUri: string;
  data: BufferSource;
  status?: number;
  headers: Record<string, string>;
  timeMs?: number;
  fromCache?: boolean;
  originalRequest: ShakaRequest;
}

export interface ShakaOperation {
  promise: Promise<ShakaResponse>;
  abort(): Promise<unknown>;
}

export type ProgressUpdated = (elapsedMs: number, bytes: number, remainingBytes: number) => void;
export type HeadersReceived = (headers: Record<string, string>) => void;

export type SchemePlugin = (
  uri: string,
  request: ShakaRequest,
  requestType: number,
  progressUpdated: ProgressUpdated,
  headersReceived: HeadersReceived,
  config: { minBytesForProgressEvents?: number },
) => ShakaOperation;

export interface ShakaEngine {
  registerRequestFilter(filter: (type: number, request: ShakaRequest, context?: ShakaContext) => void): void;
}

export interface ShakaPlayer {
  getNetworkingEngine(): ShakaEngine | null;
  getMediaElement(): HTMLMediaElement | null;
  addEventListener(event: string, listener: () => void): void;
}

export interface ShakaLibrary {
  Player: {
    // biome-ignore lint/suspicious/noExplicitAny: a mixin's base must take any arguments (TS2545)
    new (...args: any[]): ShakaPlayer;
  };
  net: {
    HttpFetchPlugin: { parse: SchemePlugin; isSupported(): boolean };
    HttpXHRPlugin: { parse: SchemePlugin };
    NetworkingEngine: {
      // biome-ignore lint/suspicious/noExplicitAny: only to know its instances
      new (...args: any[]): ShakaEngine;
      registerScheme(scheme: string, plugin: SchemePlugin, priority: number, progressSupport: boolean): void;
      RequestType: Record<"MANIFEST" | "SEGMENT", number>;
      AdvancedRequestType: Record<"MASTER_PLAYLIST" | "MEDIA_PLAYLIST" | "MPD", number>;
      PluginPriority: { PREFERRED: number };
    };
  };
  util: {
    AbortableOperation: {
      new (promise: Promise<ShakaResponse>, onAbort: () => Promise<unknown>): ShakaOperation;
    };
    Error: {
      new (severity: number, category: number, code: number, ...data: unknown[]): Error;
      Severity: { RECOVERABLE: number };
      Category: { NETWORK: number };
      Code: Record<"OPERATION_ABORTED" | "TIMEOUT" | "HTTP_ERROR" | "BAD_HTTP_STATUS", number>;
    };
  };
}
