/** What is used of mpd-parser 1.4, which ships no types. */
declare module "mpd-parser" {
  /** An Initialization or a SegmentURL. */
  export interface UrlType {
    sourceURL?: string;
    /** "first-last", both inclusive. */
    range?: string;
    media?: string;
    mediaRange?: string;
  }

  export interface SegmentAttributes {
    media?: string;
    initialization?: UrlType;
    indexRange?: string;
    segmentUrls?: UrlType[];
    startNumber?: number;
    timescale?: number;
    duration?: number;
    presentationTimeOffset?: number;
  }

  /** A Representation with what it inherits; several of them for one that has several BaseURLs. */
  export interface RepresentationInfo {
    attributes: {
      id?: string;
      bandwidth?: number;
      baseUrl: string;
      type: string;
      mimeType?: string;
      contentType?: string;
      codecs?: string;
      width?: number;
      height?: number;
      lang?: string;
      /** Seconds; null where it cannot be told. */
      periodStart: number | null;
      periodDuration?: number;
      sourceDuration?: number;
    };
    segmentInfo: {
      template?: SegmentAttributes;
      list?: SegmentAttributes;
      base?: SegmentAttributes;
      segmentTimeline?: { t?: number; d: number; r?: number }[];
    };
  }

  export function inheritAttributes(
    mpd: object,
    options: { manifestUri: string; NOW: number },
  ): { representationInfo: RepresentationInfo[] };
}
