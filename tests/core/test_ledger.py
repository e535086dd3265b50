"""Sums of contents: what a report adds to them, how viewers' time is sampled, and which contents are kept apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core import messages as m
from peerpool.core.ledger import (
    COLUMNS,
    FIRST_FRAME_BOUNDS_MS,
    FRAME_COLUMNS,
    OTHERS,
    Ledger,
    LedgerKey,
    Sums,
    largest,
    total,
)
from peerpool.core.limits import Limits
from peerpool.core.places import Level
from peerpool.core.seats import Group
from peerpool.core.swarm import Family, SwarmKey, Swarms

KEY = LedgerKey("s", "c" * 32, Group.SHARING)
PEER = "a" * 20


def swarms_of(count: int) -> Swarms:
    swarms = Swarms(Limits())
    for index in range(count):
        swarms.enter(SwarmKey(Family.NATIVE, KEY.content, KEY.site), f"{index:020x}", index, 0.0)
    return swarms


def taken(ledger: Ledger, now: float = 0.0, members: int = 0) -> dict[LedgerKey, Sums]:
    return ledger.take(swarms_of(members), {}, now)[0]


def test_a_report_is_split_by_how_near_its_senders_are() -> None:
    ledger = Ledger()
    report = m.Report(100, 50, 7, 2, 1, relayed_bytes=10, attempts={PEER: True, "b" * 20: False, "c" * 20: False})
    ledger.reported(KEY, report, {Level.SITE: 20, Level.METRO: 5, Level.ISP: 6, Level.COUNTRY: 9})
    sums = taken(ledger)[KEY]
    assert (sums.site_bytes, sums.isp_bytes, sums.far_bytes, sums.relayed_bytes) == (20, 11, 59, 10)
    assert (sums.peer_bytes, sums.media_bytes, sums.cdn_bytes, sums.sent_bytes) == (90, 150, 50, 7)
    assert (sums.reports, sums.stalls, sums.connected, sums.failed) == (1, 1, 1, 2)


@pytest.mark.parametrize(
    ("first_frame_ms", "column"),
    [(1, "frames_200"), (200, "frames_200"), (201, "frames_400"), (5_000, "frames_5000"), (60_000, "frames_more")],
)
def test_a_first_frame_is_counted_in_the_bucket_up_to_its_bound(first_frame_ms: int, column: str) -> None:
    ledger = Ledger()
    ledger.reported(KEY, m.Report(0, 0, 0, 0, 0, first_frame_ms=first_frame_ms), {})
    sums = taken(ledger)[KEY]
    assert [name for name in FRAME_COLUMNS if getattr(sums, name)] == [column]
    assert sums.first_frame_ms == first_frame_ms


def test_there_is_a_column_for_each_bound_and_one_for_more() -> None:
    assert (*(f"frames_{bound}" for bound in FIRST_FRAME_BOUNDS_MS), "frames_more") == FRAME_COLUMNS


def test_viewers_time_is_that_since_it_was_sampled_last() -> None:
    ledger = Ledger()
    assert taken(ledger, 5.0, members=3)[KEY].viewer_ms == 0, "nobody knows since when they are there"
    assert taken(ledger, 15.0, members=3)[KEY].viewer_ms == 30_000
    assert taken(ledger, 20.0, members=0) == {}


def test_of_what_n_viewers_took_all_but_one_part_of_n_could_have_come_of_peers() -> None:
    ledger = Ledger()
    taken(ledger, 0.0, members=4)
    ledger.reported(KEY, m.Report(300, 100, 0, 3, 0), {})
    assert taken(ledger, 10.0, members=4)[KEY].possible_bytes == 300
    ledger.reported(KEY, m.Report(0, 100, 0, 0, 0), {})
    assert taken(ledger, 20.0, members=1)[KEY].possible_bytes == 0


def test_holdouts_are_counted_by_site_without_a_content() -> None:
    ledger = Ledger()
    ledger.take(Swarms(Limits()), {"s": 4}, 0.0)
    sums, _ = ledger.take(Swarms(Limits()), {"s": 4, "t": 0}, 10.0)
    assert {key: one.viewer_ms for key, one in sums.items()} == {LedgerKey("s", OTHERS, Group.HOLDOUT): 40_000}


def test_what_was_taken_is_not_taken_again_and_names_go_with_it() -> None:
    ledger = Ledger()
    ledger.joined(KEY, "a film")
    sums, names = ledger.take(Swarms(Limits()), {}, 0.0)
    assert (sums[KEY].joins, names) == (1, {KEY.content: "a film"})
    assert ledger.take(Swarms(Limits()), {}, 1.0) == ({}, {})
    assert len(ledger) == 0


keys = st.builds(
    LedgerKey, st.sampled_from(["", "s", "t"]), st.sampled_from([OTHERS, *"abcdef"]), st.sampled_from(list(Group))
)
sums_of_keys = st.dictionaries(
    keys, st.builds(Sums, viewer_ms=st.integers(0, 9), cdn_bytes=st.integers(0, 9), joins=st.integers(0, 9))
)


@given(sums_of_keys, st.integers(0, 8))
def test_the_largest_contents_are_kept_and_nothing_is_lost(sums: dict[LedgerKey, Sums], count: int) -> None:
    found = largest(sums, count)
    assert total(found.values()) == total(sums.values())
    assert len({key[:2] for key in found if key.content != OTHERS}) <= count
    for group in Group:  # groups and sites are not mixed
        for site in ("", "s", "t"):
            mine = [key for key in sums if (key.site, key.group) == (site, group)]
            kept = [key for key in found if (key.site, key.group) == (site, group)]
            assert total(sums[key] for key in mine) == total(found[key] for key in kept)


@given(st.lists(st.builds(Sums, **{name: st.integers(0, 2**40) for name in COLUMNS}), max_size=5))
def test_a_total_is_the_sum_of_every_column(several: list[Sums]) -> None:
    summed = total(several)
    for name in COLUMNS:
        assert getattr(summed, name) == sum(getattr(one, name) for one in several)
