"""`peerpool sign`: the real command over real folders."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peerpool.core.digests import PieceHasher, decode
from peerpool.core.errors import SignError
from peerpool.core.identity import content_id
from peerpool.core.playlists import ONLY_TRACK
from peerpool.keys import SigningKey, new_key, verify, write_key
from peerpool.signing import FolderSigner, Progress, Summary

from tests.servers import ROOT

CONTENT = "cdn.example/vod/index.m3u8"
WAIT_S = 20


@pytest.fixture
def key() -> SigningKey:
    return new_key()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "vod"
    path.mkdir()
    return path


def write_media(folder: Path, *lines: str, name: str = "index.m3u8") -> None:
    partial = folder / f".{name}"
    partial.write_text("\n".join(["#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, ""]))
    partial.replace(folder / name)


def segments(*uris: str) -> list[str]:
    return [line for uri in uris for line in ("#EXTINF:2,", uri)]


def put(folder: Path, name: str, data: bytes = b"x" * 40_000) -> Path:
    """Write a segment a while ago, so that its record is newer whatever the clock's grain."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (1e9, 1e9))
    return path


def sign(folder: Path, key: SigningKey, content: str = CONTENT, url: str = "", *, force: bool = False) -> Summary:
    return FolderSigner(folder, key, content, url, force=force).run(Progress(io.StringIO()))


def hashes(data: bytes) -> tuple[bytes, ...]:
    hasher = PieceHasher()
    hasher.feed(data)
    return tuple(hasher.hashes())


def test_each_segment_and_init_segment_gets_a_record_that_verifies(folder: Path, key: SigningKey) -> None:
    for name in ("init.mp4", "a b.m4s"):
        put(folder, name, name.encode() * 9_000)
    write_media(folder, '#EXT-X-MAP:URI="init.mp4"', *segments("a%20b.m4s?token=1"), "#EXT-X-ENDLIST")
    summary = sign(folder, key)
    assert (summary.signed, summary.is_whole) == (2, True)
    record = decode((folder / "a b.m4s.ppd").read_bytes())
    assert verify(record, key.public_bytes)
    assert record.content_id.hex() == content_id(CONTENT)
    assert record.name == (ONLY_TRACK, 0, 0, 0)
    assert record.pieces == hashes(b"a b.m4s" * 9_000)
    assert decode((folder / "init.mp4.ppd").read_bytes()).name.kind == 1
    assert not list(folder.glob("*.partial"))
    assert stat.S_IMODE((folder / "init.mp4.ppd").stat().st_mode) & 0o044, "a web server is to read it"


def test_byte_ranges_get_a_record_each_named_by_start_and_exclusive_end(folder: Path, key: SigningKey) -> None:
    data = os.urandom(100_000)
    put(folder, "all.mp4", data)
    ranges = ["#EXTINF:2,", "#EXT-X-BYTERANGE:60000@500", "all.mp4", "#EXTINF:2,", "#EXT-X-BYTERANGE:1000", "all.mp4"]
    write_media(folder, '#EXT-X-MAP:URI="all.mp4",BYTERANGE="500@0"', *ranges)
    assert sign(folder, key).signed == 3
    found = {path.name: decode(path.read_bytes()) for path in folder.glob("*.ppd")}
    assert set(found) == {"all.mp4.0-500.ppd", "all.mp4.500-60500.ppd", "all.mp4.60500-61500.ppd"}
    assert found["all.mp4.500-60500.ppd"].pieces == hashes(data[500:60_500])


def test_a_range_beyond_the_file_and_an_empty_file_have_no_record(folder: Path, key: SigningKey) -> None:
    put(folder, "all.mp4", b"x" * 100)
    put(folder, "empty.mp4", b"")
    write_media(folder, "#EXTINF:2,", "#EXT-X-BYTERANGE:60@50", "all.mp4", *segments("empty.mp4"))
    assert sign(folder, key).unfit == 2
    assert not list(folder.glob("*.ppd"))


def test_what_is_signed_is_kept_until_segment_key_or_content_change(folder: Path, key: SigningKey) -> None:
    path = put(folder, "a.ts")
    write_media(folder, *segments("a.ts"))
    assert sign(folder, key).signed == 1
    again = sign(folder, key)
    assert (again.signed, again.kept) == (0, 1)
    assert sign(folder, key, force=True).signed == 1
    assert sign(folder, new_key()).signed == 1
    assert sign(folder, key).signed == 1
    assert sign(folder, key, "other", f"https://{CONTENT}").signed == 1
    assert sign(folder, key).signed == 1
    path.write_bytes(b"y" * 40_000)
    os.utime(path)
    assert sign(folder, key).signed == 1
    (folder / "a.ts.ppd").write_bytes(b"broken")
    assert sign(folder, key).signed == 1


def test_nothing_outside_the_folder_is_read_or_written(folder: Path, key: SigningKey) -> None:
    outside = put(folder.parent, "secret.ts")
    (folder / "link.ts").symlink_to(outside)
    (folder / "away").symlink_to(folder.parent)
    (folder / "circle.ts").symlink_to(folder / "circle.ts")
    inside = [
        "link.ts",
        "away/secret.ts",
        "%2e%2e/secret.ts",
        "..%2fsecret.ts",
        "a%00.ts",
        "%2Fetc%2Fpasswd",
        "circle.ts",
    ]
    write_media(folder, *segments("../secret.ts", "/etc/passwd", "https://other.example/a.ts", *inside))
    before = set(folder.parent.rglob("*"))
    summary = sign(folder, key)
    assert (summary.signed, summary.remote) == (0, 1)
    assert summary.outside + summary.missing == 9
    assert set(folder.parent.rglob("*")) == before


def test_a_multivariant_playlist_leads_to_every_track_and_files_shared_by_two_are_told(
    folder: Path, key: SigningKey
) -> None:
    lines = ["#EXTM3U", '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",URI="en/i.m3u8"']
    lines += ["#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=1x1", "v/i.m3u8", "#EXT-X-STREAM-INF:BANDWIDTH=2", "w/i.m3u8"]
    lines += ["#EXT-X-STREAM-INF:BANDWIDTH=3", "https://backup.example/i.m3u8"]
    (folder / "index.m3u8").write_text("\n".join(lines))
    for name in ("en/1.aac", "v/1.ts", "both.ts"):
        put(folder, name)
    write_media(folder / "en", *segments("1.aac"), name="i.m3u8")
    write_media(folder / "v", *segments("1.ts", "../both.ts"), name="i.m3u8")
    (folder / "w").mkdir()
    write_media(folder / "w", *segments("../both.ts"), name="i.m3u8")
    summary = sign(folder, key)
    assert (summary.signed, summary.shared, summary.remote) == (3, 1, 1)
    assert any("second track" in line for line in summary.lines())
    tracks = {decode(path.read_bytes()).name.track_hex for path in folder.rglob("*.ppd")}
    assert len(tracks) == 2


def test_a_broken_playlist_is_named_and_the_others_are_signed(folder: Path, key: SigningKey) -> None:
    text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nb.m3u8\n"
    (folder / "index.m3u8").write_text(text)
    put(folder, "a.ts")
    write_media(folder, *segments("a.ts"), name="a.m3u8")
    (folder / "b.m3u8").write_bytes(b"\xff\xfe")
    summary = sign(folder, key)
    assert (summary.signed, summary.is_whole) == (1, False)
    assert any("b.m3u8" in line for line in summary.lines())


@pytest.mark.parametrize(
    ("content", "url"), [("my-show", ""), ("a/gone.m3u8", ""), ("x", "ftp://a/index.m3u8"), ("a/", "")]
)
def test_a_manifest_that_is_not_there_is_said_with_what_to_do(
    folder: Path, key: SigningKey, content: str, url: str
) -> None:
    write_media(folder)
    with pytest.raises(SignError, match=r"--url|only http"):
        sign(folder, key, content, url)


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


@contextlib.contextmanager
def watching(folder: Path, key: SigningKey) -> Iterator[list[Summary]]:
    """Watch a folder in a thread while the block runs; what it returned is in the list afterwards."""
    ended, summaries = threading.Event(), list[Summary]()
    signer = FolderSigner(folder, key, CONTENT)
    thread = threading.Thread(target=lambda: summaries.append(signer.watch(Progress(io.StringIO()), ended.is_set)))
    thread.start()
    try:
        yield summaries
    finally:
        ended.set()
        thread.join(WAIT_S)


def test_a_live_folder_is_followed_and_records_of_segments_that_left_are_removed(folder: Path, key: SigningKey) -> None:
    put(folder, "0.ts")
    write_media(folder, *segments("0.ts"))
    with watching(folder, key) as summaries:
        wait_for((folder / "0.ts.ppd").exists)
        put(folder, "1.ts")
        write_media(folder, "#EXT-X-MEDIA-SEQUENCE:1", *segments("1.ts"))
        (folder / "0.ts").unlink()
        wait_for((folder / "1.ts.ppd").exists)
        wait_for(lambda: not (folder / "0.ts.ppd").exists())
        write_media(folder, "#EXT-X-MEDIA-SEQUENCE:1", *segments("1.ts", "2.ts"))
        put(folder, "2.ts")  # a playlist that comes before its segment
        wait_for((folder / "2.ts.ppd").exists)
    assert decode((folder / "2.ts.ppd").read_bytes()).name.number == 2
    assert summaries[0].signed == 3


def test_progress_is_told_now_and_then_with_a_rate() -> None:
    out, times = io.StringIO(), iter([0.0, 1.0, 20.0, 21.0])
    progress = Progress(out, lambda: next(times))
    progress.tell(1, 100)
    progress.tell(40, 100)
    progress.end()
    assert out.getvalue() == "40 of 100 segments, 2 a second\n"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "peerpool.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_the_commands_of_the_document_do_what_it_says(tmp_path: Path) -> None:
    document = (ROOT / "docs" / "integrity.md").read_text()
    commands = [shlex.split(line) for line in re.findall(r"^peerpool ((?:keys|sign) .*)$", document, re.MULTILINE)]
    movie = tmp_path / "movie"
    movie.mkdir()
    put(movie, "a.ts")
    write_media(movie, *segments("a.ts"), "#EXT-X-ENDLIST", name="master.m3u8")
    once = [command for command in commands if "--watch" not in command]
    assert len(once) >= 3
    for command in once:
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (movie / "a.ts.ppd").is_file()


def test_watching_ends_well_with_ctrl_c_and_exit_codes_tell(tmp_path: Path, folder: Path, key: SigningKey) -> None:
    write_key(tmp_path / "key.pem", key)
    put(folder, "a.ts")
    write_media(folder, *segments("a.ts"))
    options = ["vod", "--key", "key.pem", "--content", CONTENT]
    command = [sys.executable, "-m", "peerpool.cli", "sign", *options, "--watch"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        wait_for((folder / "a.ts.ppd").exists)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=WAIT_S)[0]
    assert process.returncode == 0
    assert output.startswith("1 signed")
    (folder / "a.ts").unlink()
    assert run("sign", *options, cwd=tmp_path).returncode == 1
    (tmp_path / "key.pem").chmod(0o644)
    refused = run("sign", *options, cwd=tmp_path)
    assert (refused.returncode, "chmod 600" in refused.stderr) == (1, True)
