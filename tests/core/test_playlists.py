"""Names of segments in Python are those of the shipped SegmentTable, to the byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from peerpool.core.errors import Malformed
from peerpool.core.identity import (
    KIND_INIT,
    canonical_file,
    canonical_track,
    content_id,
    content_name,
    file_track_id,
    init_number,
    track_id,
)
from peerpool.core.playlists import ONLY_TRACK, Media, Multivariant, read
from peerpool.core.urls import parse

from tests.servers import ROOT

BASE = "https://cdn.example/live/"
needs_node = pytest.mark.skipif(not (ROOT / "node_modules" / "m3u8-parser").is_dir(), reason="needs `npm ci`")

MULTIVARIANT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="Deutsch, groß",LANGUAGE="DE",URI="subs/de.m3u8"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="iframes.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401f,mp4a.40.2",FRAME-RATE=29.970,AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=960x540,CODECS="mp4a.40.2, AVC1.4d401f",FRAME-RATE=25.000,NAME="Hoch"
high quality.m3u8?x='1'
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:4
#EXT-X-PROGRAM-DATE-TIME:no date at all
#EXT-X-MAP:URI="init.mp4?t=1"
#EXTINF:2,
seg7.m4s
#EXT-X-GAP
#EXTINF:2,a, title
seg8.m4s#x
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="https://ads.example/77/../init é.mp4"
#EXTINF:2,
\\ad\\./one.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init.mp4?t=1"
#EXTINF:2,
//CDN2.example:443/x/%2e%2E/seg10.m4s
"""
RANGES = """#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-MAP:URI="all.mp4",BYTERANGE="812@16"
#EXTINF:2,
#EXT-X-BYTERANGE:100@828
all.mp4
#EXTINF:2,
#EXT-X-BYTERANGE:50
all.mp4
#EXT-X-BYTERANGE:7
#EXTINF:2,
other.mp4
#EXTINF:2,
whole.mp4
#EXT-X-PART:DURATION=1,URI="part.mp4"
#EXT-X-ENDLIST
"""
Playlists = Sequence[tuple[str, str]]


def twins(text: str) -> str:
    return text.replace("960x540", "640x360").replace(',NAME="Hoch"', "").replace("25.000", "29.97")


def js_names(contents: Sequence[Playlists]) -> list[dict[str, Any]]:
    """Return what the shipped code says of each content's playlists."""
    node = shutil.which("node")
    assert node is not None
    given_ = [[{"url": url, "base": url, "text": text} for url, text in playlists] for playlists in contents]
    script = ROOT / "tests" / "js" / "names.mjs"
    done = subprocess.run(
        [node, script], input=json.dumps(given_), capture_output=True, text=True, timeout=60, check=True
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def our_names(playlists: Playlists) -> dict[str, Any]:
    """Return the same by this package."""
    tracks: dict[str, str] | None = None
    found: dict[str, str] = {}
    for url, text in playlists:
        href = parse(url).href
        if tracks is not None and href not in tracks:
            continue
        one = read(text, parse(url), ONLY_TRACK if tracks is None else tracks[href])
        if isinstance(one, Multivariant):
            tracks = one.tracks
            continue
        tracks = {href: ONLY_TRACK} if tracks is None else tracks
        for segment in one.segments:
            start, end = ("" if edge is None else edge for edge in segment.at[1:])
            name = segment.name
            key = f"{name.track_hex} {segment.at.url.href} {start}-{end}"
            # A range that is an init segment too stays what it was, as in the table; both have a record each.
            if name.kind != KIND_INIT or key not in found:
                found[key] = f"{name.kind}/{name.discontinuity}/{name.number}"
    return {"content": content_name(playlists[0][0]), "found": found}


def all_of(multivariant: str, media: str) -> Playlists:
    """Return a content whose every track has the same media playlist, in a folder of its own."""
    master = f"{BASE}master.m3u8"
    names = read(multivariant, parse(master))
    assert isinstance(names, Multivariant)
    return [(master, multivariant), *((url, media) for url in names.tracks)]


def made_content() -> list[Playlists]:
    """Return the playlists of the test bed's media, where it was made."""
    return [
        [
            (f"{BASE}{path.relative_to(master.parent)}", path.read_text())
            for path in (master, *master.parent.glob("*/*.m3u8"))
        ]
        for master in sorted((ROOT / ".media").glob("*/vod-*/master.m3u8"))
    ]


SAME_PLAYLIST_TWICE = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="b",NAME="1",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="10",NAME="1",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="9",NAME="1",URI="en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="9",NAME="1",URI="de.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1
v.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1
https://backup.example/v.m3u8
"""


@needs_node
def test_every_name_is_the_shipped_table_s() -> None:
    contents: list[Playlists] = [
        *(
            all_of(text, media)
            for text in (MULTIVARIANT, twins(MULTIVARIANT), SAME_PLAYLIST_TWICE)
            for media in (MEDIA, RANGES)
        ),
        [(f"{BASE}alone.m3u8?t=1", MEDIA)],
        [("http://CDN.example:80/a/b.m3u8", RANGES.replace("\n", "\r\n"))],
        *made_content(),
    ]
    ours = [our_names(playlists) for playlists in contents]
    assert ours == js_names(contents)
    assert all(one["found"] for one in ours)


# m3u8-parser keeps renditions in objects, by name: one called as no property can be is not listed, and so not shared.
texts = st.text(
    st.characters(blacklist_categories=["C", "Zl", "Zp"], blacklist_characters='"\x85'), min_size=1, max_size=12
).filter(lambda text: text != "__proto__")
paths = st.text(st.sampled_from("ab .%2eE/\\é'{}|~[]`<>+&=;,@!$()*"), min_size=1, max_size=14).map(
    lambda text: f"p{text}q"
)


@st.composite
def multivariants(draw: st.DrawFn) -> str:
    lines = ["#EXTM3U"]
    for number in range(draw(st.integers(0, 3))):
        kind, group = draw(st.sampled_from(["AUDIO", "SUBTITLES"])), draw(st.sampled_from(["a", "7", "10"]))
        language = draw(st.sampled_from(["", ',LANGUAGE="EN"', ',LANGUAGE="de"']))
        name = draw(st.one_of(st.just("x"), texts))
        lines.append(f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{name}"{language},URI="r{number % 2}.m3u8"')
    for number in range(draw(st.integers(1, 3))):
        more = draw(
            st.sampled_from(["", ",FRAME-RATE=59.94", ",FRAME-RATE=50", ',CODECS="hvc1 , ac-3"', ",RESOLUTION=1x2"])
        )
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={draw(st.integers(1, 2))}{more}", f"v{number}.m3u8"]
    return "\n".join(lines)


@st.composite
def media_playlists(draw: st.DrawFn) -> str:
    lines = ["#EXTM3U", f"#EXT-X-MEDIA-SEQUENCE:{draw(st.integers(0, 2**40))}"]
    for _ in range(draw(st.integers(1, 5))):
        if draw(st.booleans()):
            lines.append("#EXT-X-DISCONTINUITY")
        if draw(st.booleans()):
            suffix = draw(st.sampled_from(["", ',BYTERANGE="5@9"', ',BYTERANGE="5"']))
            lines.append(f'#EXT-X-MAP:URI="{draw(paths)}"{suffix}')
        inf = ["#EXTINF:2,", *draw(st.sampled_from([[], ["#EXT-X-BYTERANGE:5"], ["#EXT-X-BYTERANGE:6@77"]]))]
        lines += [*draw(st.permutations(inf)), draw(paths)]
    return "\n".join(lines)


@needs_node
# Each example starts node; shrinking would start it hundreds of times.
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(st.tuples(multivariants(), media_playlists()), min_size=8, max_size=8))
def test_every_name_of_made_up_playlists_is_the_shipped_table_s(pairs: list[tuple[str, str]]) -> None:
    contents = [all_of(multivariant, media) for multivariant, media in pairs]
    assert [our_names(playlists) for playlists in contents] == js_names(contents)


def test_identities_are_the_frozen_ones() -> None:
    frozen = json.loads((ROOT / "tests" / "vectors" / "identity.json").read_text())
    for content in frozen["contents"]:
        assert content_name(content["manifest"]) == content["name"]
        assert content_id(content["name"]) == content["id"]
    for track in frozen["tracks"]:
        assert canonical_track(track["description"]) == track["canonical"]
        assert track_id(track["description"]) == track["id"]
    for file in frozen["files"]:
        version = (file["version"]["sizeBytes"], file["version"]["etag"], file["version"]["modifiedSec"])
        assert canonical_file(*version) == file["canonical"]
        assert file_track_id(*version) == file["id"]
    for init in frozen["inits"]:
        assert init_number(parse(init["url"]), init["offset"]) == init["number"]


def test_a_media_playlist_says_whether_it_is_live_what_comes_next_and_what_is_not_there() -> None:
    live, vod = read(MEDIA, parse(BASE)), read(RANGES, parse(BASE))
    assert isinstance(live, Media)
    assert isinstance(vod, Media)
    assert (live.is_live, live.next_number, live.target_s) == (True, 11, 2.0)
    assert (vod.is_live, vod.next_number) == (False, 4)
    assert [segment.name.number for segment in live.segments if segment.gap] == [8]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "#EXTM3U\nstray.ts\n",
        "#EXTM3U\n#EXTINF:2,\na.ts\nstray.ts\n",
        "#EXTM3U\n#EXTINF:x,\na.ts\n",
        "#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n",
        "#EXTM3U\n#EXTINF:2,\nhttp://user:word@cdn.example/a.ts\n",
        "#EXTM3U\n#EXTINF:2,\nhttp:///\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-4\n#EXTINF:2,\na.ts\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999\n#EXTINF:2,\na.ts\n",
        '#EXTM3U\n#EXT-X-DEFINE:NAME="a",VALUE="b"\n#EXTINF:2,\n{$a}.ts\n',
        "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n#EXTINF:2,\na.ts\n",
        "#EXTM3U\n#EXTINF:2,\n#EXT-X-BYTERANGE:@5\na.ts\n",
        "#EXTM3U\n#EXTINF:2,\ra.ts\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:RESOLUTION=big\na.m3u8\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:FRAME-RATE=nan\na.m3u8\n",
        "#EXTM3U\n#" + "x" * 20_000,
    ],
)
def test_what_the_two_parsers_may_read_differently_is_not_followed(text: str) -> None:
    with pytest.raises(Malformed):
        read(text, parse(BASE))


@given(st.text(st.sampled_from("#EXTM3UINFXSTREAMDP:-,=\"'@0123 \nabc./"), max_size=200))
def test_arbitrary_text_is_a_playlist_or_malformed_and_nothing_else(text: str) -> None:
    try:
        read("#EXTM3U\n" + text, parse(BASE))
    except Malformed:
        return
