"""From HLS playlists (RFC 8216) to the names of tracks and segments, as static/js/core/manifests.js gives them.

Both must agree to the byte, or records would be of segments that no viewer asks for. Where a playlist breaks the
standard in a way the two parsers read differently, it is Malformed here: no record, and viewers play from the CDN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from m3u8.parser import parse as parse_m3u8
from m3u8.parser import save_segment_custom_value

from peerpool.core.digests import NUMBER_MAX, SegmentName
from peerpool.core.errors import Malformed
from peerpool.core.identity import KIND_INIT, KIND_MEDIA, canonical_track, init_number, track_id, trim
from peerpool.core.urls import Url, parse

# A day of 1 s segments with signed URLs is larger than this, and nobody's player would like it.
PLAYLIST_BYTES_MAX: Final = 4_194_304
# Longest line: a URL, or a tag with some.
LINE_CHARS_MAX: Final = 16_384
ONLY_TRACK: Final = track_id({"type": "only"})
# Line ends to one library or the other, not to both.
_ODD_LINE_ENDS: Final = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|\r(?!\n)")
_TAG: Final = re.compile(r"#(EXT[A-Z0-9-]*)(?::(.*))?")
# The tags that say what segments are called and where they are. Others are not even looked at, so that a date no
# library can read costs nobody the records.
_READ: Final = frozenset({"EXTINF", "EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-MAP", "EXT-X-ENDLIST", "EXT-X-GAP"})
_QUOTED: Final = re.compile(r"""['"](.*)['"]""", re.DOTALL)
_GROUPS: Final = (("AUDIO", "audio"), ("SUBTITLES", "subtitles"))
T = TypeVar("T")
_ARRAY_INDEX_MAX: Final = 2**32 - 2


class Location(NamedTuple):
    """Where a segment's bytes are: a URL, and a byte range of it where both are not None."""

    url: Url
    range_start: int | None = None
    range_end: int | None = None  # exclusive


class Segment(NamedTuple):
    """A segment, or init segment, of one playlist."""

    name: SegmentName
    at: Location
    uri: str  # as the playlist has it
    gap: bool = False  # there is nothing to fetch


class Media(NamedTuple):
    """A media playlist: its segments in order, init segments before the first that uses them."""

    segments: list[Segment]
    target_s: float  # 0 where it does not say
    is_live: bool
    next_number: int  # media sequence number of the segment that comes next


class Multivariant(NamedTuple):
    """A multivariant playlist."""

    tracks: dict[str, str]  # URL of each media playlist -> track id, in the order they are named
    uris: dict[str, str]  # the same URLs -> as the playlist has them


class _Named(NamedTuple):
    url: str
    uri: str
    description: dict[str, str]
    tie_break: dict[str, str]


def read(text: str, base: Url, track_hex: str = ONLY_TRACK) -> Multivariant | Media:
    """Return what a playlist says, `base` being where it was answered, `track_hex` the track if it is of one.

    Raises Malformed for what is no playlist, or not one that browsers and this module read alike.
    """
    if len(text) > PLAYLIST_BYTES_MAX:
        raise Malformed("playlist too long")
    if not text.startswith("#EXTM3U"):
        raise Malformed("no HLS playlist: it does not begin with #EXTM3U")
    if _ODD_LINE_ENDS.search(text):
        raise Malformed("playlist with line ends that players disagree on")
    tags = _Tags()
    try:
        data = parse_m3u8(text, custom_tags_parser=tags)
        _check_uris(text, data)
        if data["playlists"]:
            return _multivariant(data, base)
        return _media(data, tags, base, track_hex)
    except Malformed:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Malformed(f"playlist that cannot be read ({type(error).__name__})") from None


class _Tags:
    """What the library reads otherwise than browsers do, or fails over: numbers, timelines, implicit offsets."""

    def __init__(self) -> None:
        self.media_sequence = 0
        self.target_s = 0.0
        self.skipped = 0
        self._timeline = 0
        self._range_end = 0

    def __call__(self, line: str, _number: int, _data: dict[str, Any], state: dict[str, Any]) -> bool:
        """Take a tag; say whether the library is not to see it."""
        if len(line) > LINE_CHARS_MAX:
            raise Malformed("line too long")
        found = _TAG.match(line)
        if found is None:
            return True
        tag, value = found[1], found[2] or ""
        match tag:
            case "EXT-X-DEFINE":
                raise Malformed("playlists with EXT-X-DEFINE are not followed")
            case "EXT-X-SKIP":
                raise Malformed("a delta update was not asked for")
            case "EXT-X-MEDIA-SEQUENCE":
                self.media_sequence = _whole(value)
            case "EXT-X-TARGETDURATION":
                self.target_s = float(_whole(value))
            case "EXT-X-DISCONTINUITY-SEQUENCE":
                self._timeline = _whole(value)
            case "EXT-X-DISCONTINUITY":
                self._timeline += 1
            case "EXT-X-BYTERANGE":
                length, start = _byte_range(value, self._range_end)
                self._range_end = start + length
                save_segment_custom_value(state, "range", (start, self._range_end))
        if tag == "EXTINF" or tag.startswith("EXT-X-DISCONTINUITY"):
            # The last word before the URI counts, as in browsers.
            save_segment_custom_value(state, "timeline", self._timeline)
        return tag not in _READ


def _check_uris(text: str, data: Mapping[str, Any]) -> None:
    """Browsers count a URI without its tag as a segment, the library does not. Raises Malformed where there is one."""
    uris = sum(1 for line in text.split("\n") if (stripped := line.strip()) and not stripped.startswith("#"))
    known = len(data["playlists"]) + sum(1 for segment in data["segments"] if segment.get("uri"))
    if uris != known or (data["playlists"] and known > len(data["playlists"])):
        raise Malformed("playlist with a URI that no EXTINF or EXT-X-STREAM-INF goes before")


def _multivariant(data: Mapping[str, Any], base: Url) -> Multivariant:
    found = [*_variants(data["playlists"], base), *_renditions(data["media"], base)]
    lines = [canonical_track(one.description) for one in found]
    ties: dict[str, set[str]] = {}
    for one, line in zip(found, lines, strict=True):
        ties.setdefault(line, set()).add(canonical_track({**one.description, **one.tie_break}))
    tracks: dict[str, str] = {}
    for one, line in zip(found, lines, strict=True):
        told_apart = {**one.description, **one.tie_break} if len(ties[line]) > 1 else one.description
        tracks.setdefault(one.url, track_id(told_apart))
    return Multivariant(tracks, {one.url: one.uri for one in found})


def _variants(playlists: Iterable[Mapping[str, Any]], base: Url) -> list[_Named]:
    found = []
    for playlist in playlists:
        said = {key: _text(value) for key, value in playlist["stream_info"].items()}
        description = {
            "type": "video",
            "codecs": said.get("codecs", ""),
            "resolution": _resolution(said.get("resolution", "")),
            "frame_rate": _js_number(float(said["frame_rate"])) if "frame_rate" in said else "",
            "name": said.get("name", ""),
        }
        url = parse(playlist["uri"], base).href
        found.append(_Named(url, playlist["uri"], description, {"bandwidth": said.get("bandwidth", "")}))
    return found


def _renditions(media: Iterable[Mapping[str, Any]], base: Url) -> list[_Named]:
    """Return sound and subtitles. Of two with one name in one group the later counts, in the place of the first."""
    groups: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for one in media:
        said = {key: _text(value) for key, value in one.items()}
        kind, group, name = (said.get(key, "") for key in ("type", "group_id", "name"))
        if kind and group and name:
            groups.setdefault(kind, {}).setdefault(group, {})[name] = said
    found = []
    for kind, track_type in _GROUPS:
        for group, members in _in_js_order(groups.get(kind, {})):
            for name, said in _in_js_order(members):
                if uri := said.get("uri", ""):
                    description = {"type": track_type, "name": name, "language": said.get("language", "")}
                    found.append(_Named(parse(uri, base).href, uri, description, {"group": group}))
    return found


def _media(data: Mapping[str, Any], tags: _Tags, base: Url, track_hex: str) -> Media:
    segments: list[Segment] = []
    inits: set[Location] = set()
    number = tags.media_sequence
    for said in data["segments"]:
        if not said.get("uri"):
            continue
        values = said.get("custom_parser_values", {})
        timeline = values.get("timeline", 0)
        init = _init(said.get("init_section"), base, track_hex, timeline)
        if init is not None and init.at not in inits:
            inits.add(init.at)
            segments.append(init)
        name = SegmentName(track_hex, KIND_MEDIA, timeline, number)
        at = Location(parse(said["uri"], base), *values.get("range", (None, None)))
        segments.append(Segment(name, at, said["uri"], bool(said.get("gap_tag"))))
        number += 1
    if number > NUMBER_MAX:
        raise Malformed("media sequence number out of bounds")
    return Media(segments, tags.target_s, not data["is_endlist"], number)


def _init(said: Mapping[str, Any] | None, base: Url, track_hex: str, timeline: int) -> Segment | None:
    """Return the init segment that EXT-X-MAP names; a range without an offset begins at 0, as players have it."""
    uri = _text(said.get("uri", "")) if said else ""
    if not said or not uri:
        return None
    url, start, end = parse(uri, base), None, None
    if byte_range := _text(said.get("byterange", "")):
        length, start = _byte_range(byte_range, 0)
        end = start + length
    name = SegmentName(track_hex, KIND_INIT, timeline, init_number(url, start or 0))
    return Segment(name, Location(url, start, end), uri)


def _byte_range(text: str, implicit_start: int) -> tuple[int, int]:
    """Return length and start of `<length>[@<start>]` (RFC 8216 section 4.3.2.2)."""
    found = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", trim(text))
    if found is None or int(found[1]) == 0:
        raise Malformed("byte range that cannot be read")
    return int(found[1]), implicit_start if found[2] is None else int(found[2])


def _whole(text: str) -> int:
    """Return the whole number that `text` begins with, as browsers read it."""
    found = re.match(r"\d{1,16}", text.strip())
    if found is None or int(found[0]) > NUMBER_MAX:
        raise Malformed("number out of bounds")
    return int(found[0])


def _text(value: object) -> str:
    """Return an attribute's value without quotes."""
    text = trim(str(value))
    quoted = _QUOTED.fullmatch(text)
    return quoted[1] if quoted else text


def _resolution(text: str) -> str:
    if not text:
        return ""
    found = re.match(r"\s*(\d{1,9})[^x]*x\s*(\d{1,9})", text)
    if found is None:
        raise Malformed("resolution that cannot be read")
    return f"{int(found[1])}x{int(found[2])}"


def _js_number(value: float) -> str:
    """Return a frame rate as JavaScript writes it; nothing for none."""
    if not math.isfinite(value) or not 0 <= value < 1e6 or 0 < value < 1e-4:  # noqa: PLR2004 - both write these alike
        raise Malformed("frame rate out of bounds")
    if value == 0:
        return ""
    return str(int(value)) if value.is_integer() else repr(value)


def _in_js_order(items: Mapping[str, T]) -> Sequence[tuple[str, T]]:
    """Return the entries of an object in JavaScript's order: array indices first, by number."""

    def rank(entry: tuple[str, T]) -> tuple[bool, int]:
        key = entry[0]
        is_index = re.fullmatch(r"0|[1-9][0-9]{0,9}", key) is not None and int(key) <= _ARRAY_INDEX_MAX
        return (not is_index, int(key) if is_index else 0)

    return sorted(items.items(), key=rank)
