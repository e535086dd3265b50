/** Stands in the bundle for the package `@xmldom/xmldom`, which mpd-parser imports for a function that core/mpd.js does not call: 24 KiB gzip. */

export const DOMParser = undefined;
