"""Test media: real H.264 and AAC by ffmpeg, made once into `.media/`, as a loop that repeats without drift, and as VOD.

The loop lasts 64 s because that is a whole number of video frames (1600 at 25/s), of AAC frames (3000 of 1024 samples
at 48 kHz) and of 2 s segments: repeated for ever, sound and picture stay together and segments stay equal.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from e2e.harness.child import REPOSITORY

MEDIA_ROOT = REPOSITORY / ".media"
MULTIVARIANT_NAME = "master.m3u8"
Packaging = Literal["fmp4", "ts"]


@dataclass(frozen=True)
class Rendition:
    """One video rendition; `codec` is what `profile` main and `level` come out as in a CODECS attribute."""

    name: str
    width: int
    height: int
    rate_kbps: int
    level: str
    codec: str


@dataclass(frozen=True)
class AudioTrack:
    """One audio track; languages differ in pitch, so that a mix-up can be heard."""

    name: str
    language: str
    frequency_hz: int


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes; a change of any field makes new media."""

    version: int = 2
    duration_s: int = 64
    frames_per_s: int = 25
    segment_s: int = 2
    audio_kbps: int = 96
    audio_rate_hz: int = 48_000
    vod_loops: int = 2
    renditions: tuple[Rendition, ...] = (
        Rendition("180p", 320, 180, 300, "1.2", "avc1.4d400c"),
        Rendition("360p", 640, 360, 900, "3.0", "avc1.4d401e"),
        Rendition("540p", 960, 540, 1800, "3.1", "avc1.4d401f"),
    )
    audio: tuple[AudioTrack, ...] = (AudioTrack("English", "en", 330), AudioTrack("Deutsch", "de", 440))

    def key(self) -> str:
        """Make a short name of this recipe."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Media:
    """Where the made media is."""

    folder: Path
    recipe: Recipe

    @property
    def loop(self) -> Path:
        """All renditions and audio tracks in one MP4, to be repeated."""
        return self.folder / "loop.mp4"

    def vod(self, packaging: Packaging) -> Path:
        """Return the folder of the VOD in one packaging."""
        return self.folder / f"vod-{packaging}"


class MediaFailed(Exception):
    """FFmpeg is missing, or it failed."""


def ensure(recipe: Recipe | None = None, root: Path = MEDIA_ROOT) -> Media:
    """Return the media of this recipe, made first when it is not there yet: whole or not at all."""
    recipe = recipe or Recipe()
    media = Media(root / recipe.key(), recipe)
    if media.folder.is_dir():
        return media
    if shutil.which("ffmpeg") is None:
        raise MediaFailed("ffmpeg was not found; install it, for example: apt-get install ffmpeg")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix="making-") as scratch:
        making = Media(Path(scratch) / "media", recipe)
        making.folder.mkdir()
        _make_loop(making)
        for packaging in ("fmp4", "ts"):
            _make_vod(making, packaging)
        making.folder.rename(media.folder)
    return media


def ensure_other_forms(media: Media) -> Path:
    """Return the folder with the same VOD as DASH (manifest.mpd) and as one MP4 (movie.mp4), made if need be."""
    folder = media.folder.with_name(f"{media.folder.name}-forms-1")
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as scratch:
        making = Path(scratch) / "forms"
        making.mkdir()
        recipe = media.recipe
        repeated = ["-stream_loop", str(recipe.vod_loops - 1), "-i", str(media.loop)]
        duration_s = recipe.duration_s * recipe.vod_loops
        videos, audios = len(recipe.renditions), len(recipe.audio)
        maps = [part for i in range(videos) for part in ("-map", f"0:v:{i}")]
        maps += [part for i in range(audios) for part in ("-map", f"0:a:{i}")]
        dash = ["-f", "dash", "-seg_duration", str(recipe.segment_s), "-use_timeline", "1", "-use_template", "1"]
        sets = "id=0,streams=" + ",".join(map(str, range(videos)))
        sets += "".join(f" id={1 + i},streams={videos + i}" for i in range(audios))
        manifest = str(making / "manifest.mpd")
        _ffmpeg("VOD in DASH", duration_s, [*repeated, *maps, "-c", "copy", *dash, "-adaptation_sets", sets, manifest])
        one = ["-map", f"0:v:{videos - 1}", "-map", "0:a:0", "-c", "copy", "-movflags", "+faststart"]
        _ffmpeg("VOD in one MP4", duration_s, [*repeated, *one, str(making / "movie.mp4")])
        making.rename(folder)
    return folder


def write_multivariant(folder: Path, recipe: Recipe) -> None:
    """Write the multivariant playlist; ffmpeg's own lacks CODECS and FRAME-RATE where it copies into fMP4."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for index, track in enumerate(recipe.audio):
        default = "YES" if index == 0 else "NO"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="{track.name}",LANGUAGE="{track.language}",'
            f'DEFAULT={default},AUTOSELECT=YES,CHANNELS="2",URI="audio-{track.language}/index.m3u8"'
        )
    for rendition in recipe.renditions:
        average_bps = (rendition.rate_kbps + recipe.audio_kbps) * 1000
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={average_bps * 13 // 10},AVERAGE-BANDWIDTH={average_bps},"
            f'CODECS="{rendition.codec},mp4a.40.2",RESOLUTION={rendition.width}x{rendition.height},'
            f'FRAME-RATE={recipe.frames_per_s}.000,AUDIO="audio"'
        )
        lines.append(f"{rendition.name}/index.m3u8")
    partial = folder / f".{MULTIVARIANT_NAME}.partial"
    partial.write_text("\n".join(lines) + "\n")
    partial.rename(folder / MULTIVARIANT_NAME)


def hls_output(folder: Path, recipe: Recipe, packaging: Packaging) -> list[str]:
    """Arguments that make ffmpeg copy a loop into media playlists under `folder`, one folder a track."""
    videos, audios = range(len(recipe.renditions)), range(len(recipe.audio))
    streams = [f"a:{i},agroup:audio,name:audio-{recipe.audio[i].language}" for i in audios]
    streams += [f"v:{i},agroup:audio,name:{recipe.renditions[i].name}" for i in videos]
    maps = [f"0:v:{i}" for i in videos] + [f"0:a:{i}" for i in audios]
    suffix = "m4s" if packaging == "fmp4" else "ts"
    return [
        *(part for name in maps for part in ("-map", name)),
        *("-c", "copy", "-f", "hls", "-hls_time", str(recipe.segment_s)),
        *("-hls_segment_type", "fmp4" if packaging == "fmp4" else "mpegts"),
        *("-hls_fmp4_init_filename", "init-%v.mp4"),
        *("-var_stream_map", " ".join(streams)),
        *("-hls_segment_filename", str(folder / "%v" / f"segment-%d.{suffix}")),
        str(folder / "%v" / "index.m3u8"),
    ]


def _make_loop(media: Media) -> None:
    recipe = media.recipe
    parts = media.folder / "parts"
    parts.mkdir()
    audio_parts = [parts / f"{track.language}.aac" for track in recipe.audio]
    for track, path in zip(recipe.audio, audio_parts, strict=True):
        _encode_audio(recipe, track, path)
    video = parts / "video.mp4"
    _encode_video(recipe, video)
    inputs = [part for path in (video, *audio_parts) for part in ("-i", str(path))]
    maps = [part for index in range(len(audio_parts) + 1) for part in ("-map", str(index))]
    _ffmpeg("loop: joining", recipe.duration_s, [*inputs, *maps, "-c", "copy", str(media.loop)])
    shutil.rmtree(parts)


def _encode_audio(recipe: Recipe, track: AudioTrack, path: Path) -> None:
    """Raw ADTS, which unlike MP4 knows no encoder delay: exactly the wanted number of frames, from time 0."""
    frames = recipe.duration_s * recipe.audio_rate_hz // 1024
    tone = f"sine=frequency={track.frequency_hz}:beep_factor=4:sample_rate={recipe.audio_rate_hz}"
    _ffmpeg(
        f"loop: sound, {track.name}",
        recipe.duration_s,
        [
            *("-f", "lavfi", "-i", f"{tone}:duration={recipe.duration_s + 1}"),
            *("-c:a", "aac", "-b:a", f"{recipe.audio_kbps}k", "-ac", "2", "-frames:a", str(frames)),
            *("-f", "adts", str(path)),
        ],
    )


def _encode_video(recipe: Recipe, path: Path) -> None:
    gop = recipe.frames_per_s * recipe.segment_s
    largest = recipe.renditions[-1]
    picture = f"testsrc2=size={largest.width}x{largest.height}:rate={recipe.frames_per_s}:duration={recipe.duration_s}"
    count = len(recipe.renditions)
    graph = f"{_clock()}split={count}" + "".join(f"[s{i}]" for i in range(count))
    graph += "".join(f";[s{i}]scale={r.width}:{r.height}[o{i}]" for i, r in enumerate(recipe.renditions))
    arguments = ["-f", "lavfi", "-i", picture, "-filter_complex", graph]
    for index in range(count):
        arguments += ["-map", f"[o{index}]"]
    arguments += ["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-pix_fmt", "yuv420p"]
    arguments += ["-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0"]
    arguments += ["-bf", "0"]  # no reordering, so that sound and picture both begin at 0 and not a little later
    for index, rendition in enumerate(recipe.renditions):
        rate = rendition.rate_kbps
        arguments += [f"-b:v:{index}", f"{rate}k", f"-maxrate:v:{index}", f"{rate * 12 // 10}k"]
        arguments += [f"-bufsize:v:{index}", f"{rate * 2}k", f"-level:v:{index}", rendition.level]
    _ffmpeg(f"loop: {count} video renditions", recipe.duration_s, [*arguments, str(path)])


def _clock() -> str:
    """Draw a burnt-in clock, where a font can be had."""
    probe = ["-f", "lavfi", "-i", "color=duration=0.1", "-vf", "drawtext=text=0", "-f", "null", "-"]
    command = ["ffmpeg", "-hide_banner", "-v", "quiet", *probe]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        return ""
    return r"drawtext=fontsize=h/9:fontcolor=white:box=1:boxcolor=black@0.6:x=h/30:y=h/30:text='%{pts\:hms}',"


def _make_vod(media: Media, packaging: Packaging) -> None:
    recipe = media.recipe
    folder = media.vod(packaging)
    folder.mkdir()
    _ffmpeg(
        f"VOD in {packaging}",
        recipe.duration_s * recipe.vod_loops,
        [
            *("-stream_loop", str(recipe.vod_loops - 1), "-i", str(media.loop)),
            *("-hls_list_size", "0", "-hls_playlist_type", "vod", "-hls_flags", "independent_segments"),
            *hls_output(folder, recipe, packaging),
        ],
    )
    write_multivariant(folder, recipe)


def _ffmpeg(what: str, duration_s: float, arguments: Sequence[str]) -> None:
    """Run ffmpeg with its progress in percent: redrawn on a terminal, one line at the end elsewhere."""
    command = ["ffmpeg", "-hide_banner", "-v", "error", "-nostdin", "-y", "-progress", "pipe:1", "-nostats"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    terminal = sys.stdout.isatty()
    for line in process.stdout:
        name, _, value = line.strip().partition("=")
        if terminal and name == "out_time_us" and value.lstrip("-").isdigit():
            percent = min(100, max(0, round(int(value) / 10_000 / duration_s)))
            print(f"\r  media: {what} {percent:3d} %", end="", flush=True)
    if process.wait():
        raise MediaFailed(f"ffmpeg failed ({what}), status {process.returncode}")
    print(f"{chr(13) if terminal else ''}  media: {what} 100 %", flush=True)


def main() -> None:
    """Make the default media, so that a later step finds it ready."""
    media = ensure()
    ensure_other_forms(media)
    print(f"media is in {media.folder}")


if __name__ == "__main__":
    main()
