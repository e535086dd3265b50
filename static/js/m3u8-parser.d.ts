/** What is used of m3u8-parser 7, which ships no types. */
declare module "m3u8-parser" {
  export interface ByteRange {
    length: number;
    offset: number;
  }

  export interface ManifestSegment {
    uri?: string;
    /** Seconds. */
    duration: number;
    byterange?: ByteRange;
    map?: { uri?: string; byterange?: { length: number; offset?: number } };
    /** Discontinuity sequence number. */
    timeline?: number;
    parts?: { uri?: string; duration?: number; byterange?: ByteRange; gap?: boolean }[];
  }

  export interface ManifestPlaylist {
    uri?: string;
    attributes?: {
      BANDWIDTH?: number;
      CODECS?: string;
      RESOLUTION?: { width: number; height: number };
      "FRAME-RATE"?: number | string;
      NAME?: string;
    };
  }

  export interface Manifest {
    playlists?: ManifestPlaylist[];
    mediaGroups?: Record<"AUDIO" | "SUBTITLES", Record<string, Record<string, { uri?: string; language?: string }>>>;
    segments?: ManifestSegment[];
    mediaSequence?: number;
    endList?: boolean;
    /** Of a delta update (EXT-X-SKIP). */
    skip?: { skippedSegments?: number };
    discontinuitySequence?: number;
    playlistType?: string;
    iFramesOnly?: boolean;
    iFramePlaylists?: { uri?: string }[];
    /** Variables of EXT-X-DEFINE. */
    definitions?: Record<string, string>;
    /** The segment whose parts come last, as far as it is. */
    preloadSegment?: ManifestSegment;
  }

  export class Parser {
    constructor(options?: { uri?: string; mainDefinitions?: Record<string, string> });
    push(text: string): void;
    end(): void;
    manifest: Manifest;
  }
}
