/** The part of video.js 8, with its VHS (http-streaming), that players/videojs.js touches. */

export interface VhsRequest {
  uri: string;
  responseType?: string;
  headers?: { Range?: string };
  /** In place of one that it would make. */
  xhr?: XMLHttpRequest;
}

export type VhsCallback = (error: unknown, request: XMLHttpRequest) => void;
export type VhsXhr = (options: VhsRequest, callback: VhsCallback) => XMLHttpRequest;

export interface Vhs {
  xhr: VhsXhr;
  /** The loader of the first manifest; none before the first is asked for. */
  playlists?: { request: XMLHttpRequest | null };
  on(event: string, listener: () => void): void;
}

export interface VideojsTech {
  vhs?: Vhs;
  /** A media element; the package's own types say no more than this. */
  el(): Element | null;
}

export interface VideojsPlayer {
  /** With true: without a warning to the console. */
  tech(safe: true): VideojsTech | undefined;
  on(event: string, listener: () => void): void;
}

export interface VideojsLibrary {
  hook(name: "setup", listener: (player: VideojsPlayer) => void): void;
}
