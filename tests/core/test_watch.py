"""The rules of following a stream, without a network or a clock."""

from __future__ import annotations

from peerpool.core import watch
from peerpool.core.digests import SegmentName
from peerpool.core.identity import KIND_MEDIA
from peerpool.core.playlists import ONLY_TRACK, Media, Multivariant, read
from peerpool.core.urls import parse
from peerpool.core.watch import Command, Following, PlaylistDue, SegmentDue, State

MANIFEST = parse("https://cdn.example/live/master.m3u8")
VARIANTS = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2,RESOLUTION=1280x720
high.m3u8
"""


def variants(text: str = VARIANTS) -> Multivariant:
    said = read(text, MANIFEST)
    assert isinstance(said, Multivariant)
    return said


LOW, HIGH = variants().tracks.values()


def media(first: int = 10, count: int = 6, *, live: bool = True, target_s: int = 4, track: str = LOW) -> Media:
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{target_s}", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    lines += ['#EXT-X-MAP:URI="init.mp4"']
    lines += [f"#EXTINF:4,\n{number}.m4s" for number in range(first, first + count)]
    lines += [] if live else ["#EXT-X-ENDLIST"]
    said = read("\n".join(lines), MANIFEST, track)
    assert isinstance(said, Media)
    return said


def name(number: int, track: str = LOW) -> SegmentName:
    return SegmentName(track, KIND_MEDIA, 0, number)


def due(following: Following, now: float) -> list[Command]:
    return list(following.due(now))


def numbers(commands: list[Command]) -> list[int]:
    return [one.segment.name.number for one in commands if isinstance(one, SegmentDue) and one.segment.name.kind == 0]


def followed(now: float = 0.0, said: Media | None = None) -> Following:
    """Return one whose low track was asked for and is read."""
    following = Following(MANIFEST)
    due(following, now)
    following.manifest_read(variants(), now)
    following.ask(name(0), now)
    due(following, now)
    following.read(LOW, said or media(), now)
    return following


def sign(following: Following, commands: list[Command]) -> None:
    for command in commands:
        if isinstance(command, SegmentDue):
            following.hashed(command.segment, f"record {command.segment.name.number}".encode())


def test_the_manifest_is_read_at_once_and_no_track_before_somebody_asks() -> None:
    following = Following(MANIFEST)
    assert due(following, 0) == [PlaylistDue(MANIFEST, None)]
    assert due(following, 1) == []  # under way
    following.manifest_read(variants(), 1)
    assert due(following, 1) == []
    assert following.next_at(1) == float("inf")


def test_a_track_is_read_when_somebody_asks_for_it() -> None:
    following = Following(MANIFEST)
    due(following, 0)
    following.manifest_read(variants(), 0)
    assert following.ask(name(12), 5) is State.DUE
    assert [one.track_hex for one in due(following, 5) if isinstance(one, PlaylistDue)] == [LOW]


def test_what_was_asked_for_before_anything_was_read_is_signed_all_the_same() -> None:
    following = Following(MANIFEST)
    assert following.ask(name(11), 0) is State.DUE
    due(following, 0)
    following.manifest_read(variants(), 0)
    assert [one.track_hex for one in due(following, 0) if isinstance(one, PlaylistDue)] == [LOW]
    following.read(LOW, media(live=False), 0)
    assert numbers(due(following, 0)) == [11]


def test_a_manifest_of_one_track_is_that_track() -> None:
    following = Following(MANIFEST)
    following.ask(name(14, ONLY_TRACK), 0)
    due(following, 0)
    following.manifest_read(media(track=ONLY_TRACK), 0)
    assert 14 in numbers(due(following, 0))
    assert due(following, 1) == [PlaylistDue(MANIFEST, ONLY_TRACK)]


def test_the_newest_of_a_live_track_in_use_are_signed_unasked_and_the_init_segment() -> None:
    following = followed()
    commands = due(following, 0)
    assert numbers(commands) == [13, 14, 15]
    assert len(commands) == 4
    sign(following, commands)
    assert following.ask(name(15), 1) == b"record 15"


def test_older_segments_and_those_of_vod_are_signed_when_asked_for() -> None:
    following = followed()
    sign(following, due(following, 0))
    assert following.ask(name(10), 0) is State.DUE
    assert numbers(due(following, 0)) == [10]
    vod = followed(said=media(live=False))
    assert due(vod, 0) == []
    vod.ask(name(12), 0)
    assert numbers(due(vod, 0)) == [12]


def test_each_segment_is_hashed_once() -> None:
    following = followed()
    sign(following, due(following, 0))
    following.read(LOW, media(11), 4)
    assert numbers(due(following, 4)) == [16]
    for number in range(13, 17):
        following.ask(name(number), 4)
    assert numbers(due(following, 4)) == []


def test_a_segment_that_is_next_is_due_and_one_far_ahead_or_gone_is_missing() -> None:
    following = followed()
    for number in (16, 17, 18):
        assert following.ask(name(number), 0) is State.DUE
    assert following.ask(name(19), 0) is State.MISSING
    assert following.ask(name(9), 0) is State.MISSING
    ended = followed(said=media(live=False))
    assert ended.ask(name(16), 0) is State.MISSING


def test_a_gap_is_missing() -> None:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.m4s\n#EXT-X-GAP\n#EXTINF:4,\n1.m4s\n"
    said = read(text, MANIFEST, LOW)
    assert isinstance(said, Media)
    following = followed(said=said)
    assert following.ask(name(1), 0) is State.MISSING
    assert numbers(due(following, 0)) == [0]


def test_a_live_playlist_is_read_again_four_times_a_target_duration_and_no_more_often_than_twice_a_second() -> None:
    following = followed()
    sign(following, due(following, 0))
    assert following.next_at(0) == 1.0
    assert due(following, 0.9) == []
    assert due(following, 1.0) == [PlaylistDue(parse("https://cdn.example/live/low.m3u8"), LOW)]
    quick = followed(said=media(target_s=1))
    sign(quick, due(quick, 0))
    assert quick.next_at(0) == watch.POLL_MIN_S


def test_a_track_nobody_asks_for_any_more_is_left_alone() -> None:
    following = followed()
    sign(following, due(following, 0))
    assert due(following, watch.TRACK_IDLE_S) == []
    assert following.next_at(watch.TRACK_IDLE_S) == float("inf")


def test_what_was_read_long_ago_does_not_say_that_a_segment_is_missing() -> None:
    following = followed()
    sign(following, due(following, 0))
    later = 10 * watch.TRACK_IDLE_S
    assert following.ask(name(160), later) is State.DUE
    assert [one.track_hex for one in due(following, later) if isinstance(one, PlaylistDue)] == [LOW]
    following.read(LOW, media(155), later)
    assert 160 in numbers(due(following, later))


def test_few_segments_are_fetched_at_once() -> None:
    following = followed(said=media(count=20, live=False))
    for number in range(10, 30):
        following.ask(name(number), 0)
    commands = due(following, 0)
    assert numbers(commands) == [10, 11, 12, 13]
    assert due(following, 0) == []
    sign(following, commands[:1])
    assert numbers(due(following, 0)) == [14]


def test_who_asks_for_all_of_a_long_film_fills_no_memory() -> None:
    following = followed(said=media(first=0, count=2_000, live=False))
    for number in range(2_000):
        following.ask(name(number), 0)
    assert len(following._wanted) == watch.WANTED_MAX
    for index in range(watch.RECORDS_MAX + 10):
        segment = media(index, 1).segments[-1]
        following._hashing.add(segment.name)
        following.hashed(segment, bytes(4_000))
    assert following.records_bytes <= watch.RECORDS_BYTES_MAX
    assert sum(map(len, following.records.values())) == following.records_bytes


def test_a_segment_that_cannot_be_had_is_tried_again_then_missing_then_tried_again() -> None:
    following = followed(said=media(live=False))
    following.ask(name(12), 0)
    now = 0.0
    for _ in range(watch.SEGMENT_ATTEMPTS):
        commands = [one for one in due(following, now) if isinstance(one, SegmentDue)]
        assert numbers(list(commands)) == [12]
        following.not_hashed(commands[0].segment, now)
        assert numbers(due(following, now)) == []
        now += 3
    assert following.ask(name(12), now) is State.MISSING
    assert following.ask(name(12), now + watch.SEGMENT_REST_S) is State.DUE
    assert numbers(due(following, now + watch.SEGMENT_REST_S)) == [12]


def test_a_segment_that_is_refused_is_not_tried_again_soon() -> None:
    following = followed(said=media(live=False))
    following.ask(name(12), 0)
    (command,) = due(following, 0)
    assert isinstance(command, SegmentDue)
    following.not_hashed(command.segment, 0, is_final=True)
    assert following.ask(name(12), 1) is State.MISSING
    assert due(following, 1) == []


def test_a_playlist_that_cannot_be_read_is_asked_for_ever_more_rarely() -> None:
    following = Following(MANIFEST)
    now, waits = 0.0, []
    for _ in range(10):
        assert due(following, now) == [PlaylistDue(MANIFEST, None)]
        following.not_read(None, now)
        waits.append(following.next_at(now) - now)
        now += waits[-1]
    assert waits[:4] == [0.5, 1, 2, 4]
    assert waits[-1] == watch.RETRY_MAX_S
    assert not following.is_readable
    due(following, now)
    following.manifest_read(variants(), now)
    assert following.is_readable


def test_the_manifest_is_read_again_for_a_track_it_did_not_name_and_where_its_playlists_fail() -> None:
    following = followed()
    sign(following, due(following, 0))
    assert following.ask(name(1, "00" * 8), 1) is State.MISSING
    again = PlaylistDue(MANIFEST, None)
    assert again not in due(following, 1)  # it has just been read
    assert again in due(following, watch.MANIFEST_AGAIN_S)
    following.manifest_read(variants(VARIANTS.replace("low", "signed/low")), watch.MANIFEST_AGAIN_S)
    following.ask(name(16), watch.MANIFEST_AGAIN_S)
    following.not_read(LOW, watch.MANIFEST_AGAIN_S)
    assert due(following, 31) == [PlaylistDue(parse("https://cdn.example/live/signed/low.m3u8"), LOW)]
    following.not_read(LOW, 31)
    assert again in due(following, 2 * watch.MANIFEST_AGAIN_S)


def test_an_encoder_that_begins_to_count_again_loses_its_old_records() -> None:
    following = followed(said=media(1_000))
    commands = due(following, 0)
    sign(following, commands[:-1])
    following.read(LOW, media(0, 3), 4)
    assert not [one for one in following.records if one.kind == KIND_MEDIA]
    late = commands[-1]
    assert isinstance(late, SegmentDue)
    following.hashed(late.segment, b"of the old numbers")
    assert following.look(late.segment.name) is State.MISSING
    following.not_hashed(late.segment, 4)


def test_an_edge_that_is_a_little_behind_takes_nothing_away() -> None:
    following = followed()
    sign(following, due(following, 0))
    following.read(LOW, media(9), 1)
    assert following.ask(name(15), 1) == b"record 15"
