"""The VOD of the test bed in other forms of HLS: encrypted with discontinuities, byte ranges on two hosts, growing.

Each is a folder with a multivariant playlist; sound is a rendition of its own, as in the VOD it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from e2e.harness.media import MULTIVARIANT_NAME, Media, Rendition

SEGMENT_S = 2
KEYS = (bytes(range(16)), bytes(range(16, 32)))
NUMBERS = (0, 1, 2, 20, 21)  # what is played: 10 s with a leap in it, which is a discontinuity
SUBTITLES_S = 10
HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-INDEPENDENT-SEGMENTS\n"
RENDITION = 1  # 360p
TRACKS = ("360p", "audio-en")


def multivariant(
    rendition: Rendition, video: Sequence[str], audio: str, more: Sequence[str] = (), groups: str = ""
) -> str:
    """Write a multivariant playlist of one rendition, which may be at several places."""
    lines = [HEAD.split("#EXT-X-TARGET", 1)[0].rstrip(), *more]
    about = 'TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2"'
    lines.append(f'#EXT-X-MEDIA:{about},URI="{audio}"')
    for uri in video:
        codecs = f'CODECS="{rendition.codec},mp4a.40.2"'
        about = f'BANDWIDTH=1294800,{codecs},RESOLUTION={rendition.width}x{rendition.height},AUDIO="audio"{groups}'
        lines += [f"#EXT-X-STREAM-INF:{about}", uri]
    return "\n".join(lines) + "\n"


def encrypted(media: Media, folder: Path) -> None:
    """Make TS under AES-128 whose key changes at a discontinuity."""
    for track in TRACKS:
        (folder / track).mkdir(parents=True)
        lines = [
            HEAD.rstrip(),
            "#EXT-X-PLAYLIST-TYPE:VOD",
            "#EXT-X-MEDIA-SEQUENCE:7",
            "#EXT-X-DISCONTINUITY-SEQUENCE:2",
        ]
        lines.append('#EXT-X-KEY:METHOD=AES-128,URI="../0.key"')
        for place, number in enumerate(NUMBERS):
            if number == 20:
                lines += ["#EXT-X-DISCONTINUITY", '#EXT-X-KEY:METHOD=AES-128,URI="../1.key"']
            plain = (media.vod("ts") / track / f"segment-{number}.ts").read_bytes()
            (folder / track / f"{place}.ts").write_bytes(_aes(plain, KEYS[number >= 20], 7 + place))
            lines += [f"#EXTINF:{SEGMENT_S},", f"{place}.ts"]
        (folder / track / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")
    for index, key in enumerate(KEYS):
        (folder / f"{index}.key").write_bytes(key)
    text = multivariant(media.recipe.renditions[RENDITION], ["360p/index.m3u8"], "audio-en/index.m3u8")
    (folder / MULTIVARIANT_NAME).write_text(text)


def _aes(plain: bytes, key: bytes, number: int) -> bytes:
    """Encrypt a segment; without an IV in the playlist its media sequence number is the IV."""
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    return cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()


def ranges(media: Media, folder: Path, hosts: Sequence[str], second: str) -> None:
    """Make byte ranges of one fMP4 file a track, subtitles and I-frames, on two hosts, the other first for `second`."""
    for track in TRACKS:
        (folder / track).mkdir(parents=True)
        source = media.vod("fmp4") / track
        init = (source / f"init-{track}.mp4").read_bytes()
        whole, at = init, len(init)
        lines = [HEAD.rstrip(), "#EXT-X-PLAYLIST-TYPE:VOD", f'#EXT-X-MAP:URI="all.mp4",BYTERANGE="{at}@0"']
        frames = [*lines[:1], "#EXT-X-I-FRAMES-ONLY", lines[2]]
        for number in (*NUMBERS[:3], 3, 4):
            content = (source / f"segment-{number}.m4s").read_bytes()
            # The first says where it begins, the others follow.
            lines += [
                f"#EXTINF:{SEGMENT_S},",
                f"#EXT-X-BYTERANGE:{len(content)}{'' if number else f'@{at}'}",
                "all.mp4",
            ]
            frames += [f"#EXTINF:{SEGMENT_S},", f"#EXT-X-BYTERANGE:4000@{len(whole)}", "all.mp4"]
            whole += content
        (folder / track / "all.mp4").write_bytes(whole)
        (folder / track / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")
        (folder / track / "frames.m3u8").write_text("\n".join([*frames, "#EXT-X-ENDLIST"]) + "\n")
    _subtitles(folder / "texts")
    more = [
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="texts",NAME="English",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=NO,URI="texts/index.m3u8"',
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.4d401e",RESOLUTION=640x360,URI="360p/frames.m3u8"',
    ]
    for name, order in ((MULTIVARIANT_NAME, hosts), (f"master.{second}.m3u8", hosts[::-1])):
        video = [f"{host}/360p/index.m3u8" for host in order]
        rendition = media.recipe.renditions[RENDITION]
        text = multivariant(rendition, video, "audio-en/index.m3u8", more, ',SUBTITLES="texts"')
        (folder / name).write_text(text)


def _subtitles(folder: Path) -> None:
    folder.mkdir()
    lines = [HEAD.rstrip(), "#EXT-X-PLAYLIST-TYPE:VOD"]
    for number in range(SUBTITLES_S // SEGMENT_S):
        start = number * SEGMENT_S
        cue = f"00:00:{start:02}.000 --> 00:00:{start + 1:02}.500\nline {number}"
        (folder / f"{number}.vtt").write_text(f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n{cue}\n")
        lines += [f"#EXTINF:{SEGMENT_S},", f"{number}.vtt"]
    (folder / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")


def event(media: Media, folder: Path) -> Callable[[int, bool], None]:
    """Make an EVENT stream; returns what publishes so many segments of it, and says whether those are all."""
    for track in TRACKS:
        (folder / track).mkdir(parents=True)
        for name in (f"init-{track}.mp4", *(f"segment-{number}.m4s" for number in range(8))):
            (folder / track / name).write_bytes((media.vod("fmp4") / track / name).read_bytes())
    text = multivariant(media.recipe.renditions[RENDITION], ["360p/index.m3u8"], "audio-en/index.m3u8")
    (folder / MULTIVARIANT_NAME).write_text(text)

    def publish(count: int, is_all: bool) -> None:
        for track in TRACKS:
            lines = [HEAD.rstrip(), "#EXT-X-PLAYLIST-TYPE:EVENT", f'#EXT-X-MAP:URI="init-{track}.mp4"']
            for number in range(count):
                lines += [f"#EXTINF:{SEGMENT_S},", f"segment-{number}.m4s"]
            partial = folder / track / "index.tmp"
            partial.write_text("\n".join([*lines, *(["#EXT-X-ENDLIST"] if is_all else [])]) + "\n")
            partial.replace(folder / track / "index.m3u8")

    return publish
