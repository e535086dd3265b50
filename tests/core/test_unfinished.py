"""Who is cut for being slow, or for being many."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peerpool.core.unfinished import NO_LINE, Unfinished

PATIENCE_S = {"head": 10.0, "answer": 60.0}


def test_each_stage_has_its_own_time_and_ends_at_it() -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 10, 10)
    assert unfinished.next_deadline() == math.inf
    unfinished.begin(1, "a", "head", 0.0)
    unfinished.begin(2, "a", "head", 1.0)
    unfinished.move(1, "answer", 2.0)
    assert unfinished.next_deadline() == 11.0
    assert unfinished.overdue(10.9) == []
    assert unfinished.overdue(11.0) == [2]
    unfinished.move(1, "head", 12.0)
    assert unfinished.next_deadline() == 22.0
    assert unfinished.overdue(22.0) == [1]
    assert (len(unfinished), unfinished.next_deadline()) == (0, math.inf)


def test_a_line_with_too_many_loses_its_own_oldest() -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 10, 2)
    assert [unfinished.begin(key, line, "head", 0.0) for key, line in enumerate("baaaa")] == [[], [], [], [1], [2]]


def test_when_there_are_too_many_in_all_the_line_with_the_most_pays_and_not_who_holds_few() -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 5, 4)
    for key, line in enumerate("abbcc"):
        assert unfinished.begin(key, line, "head", 0.0) == []
    assert unfinished.begin(5, "c", "head", 0.0) == [3]
    assert unfinished.begin(6, "d", "head", 0.0) == [1]
    assert unfinished.begin(7, "e", "head", 0.0) == [4]


def test_who_is_of_no_line_is_never_cut_for_being_many_but_for_being_slow() -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 1, 1)
    assert [unfinished.begin(key, NO_LINE, "head", 0.0) for key in range(5)] == [[]] * 5
    assert unfinished.begin(5, "a", "head", 0.0) == []
    assert unfinished.overdue(10.0) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("key", [1, 2])
def test_who_is_not_known_is_left_alone(key: int) -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 1, 1)
    unfinished.begin(1, "a", "head", 0.0)
    unfinished.end(1)
    unfinished.end(key)
    unfinished.move(key, "answer", 1.0)
    assert len(unfinished) == 0


STEPS = st.lists(st.tuples(st.sampled_from(("begin", "move", "end", "wait")), st.integers(0, 30)), max_size=200)


@given(STEPS)
def test_whatever_happens_the_bounds_hold_and_only_the_largest_line_pays(steps: list[tuple[str, int]]) -> None:
    unfinished: Unfinished[int, str] = Unfinished(PATIENCE_S, 6, 4)
    now, model, fresh = 0.0, dict[int, tuple[str, str, float]](), 100
    for step, number in steps:
        if step == "begin":
            fresh += 1
            line = "abcdefgh"[min(number // 4, 7)]
            counts = Counter(line for line, _, _ in model.values())
            counts[line] += 1
            cut = unfinished.begin(fresh, line, "head", now)
            model[fresh] = line, "head", now
            expected = counts[line] > 4 or counts.total() > 6
            assert len(cut) == expected
            for key in cut:
                assert counts[model[key][0]] == max(counts.values())
                assert key == min(one for one, entry in model.items() if entry[0] == model[key][0])
                del model[key]
        elif model and step in ("move", "end"):
            key = sorted(model)[number % len(model)]
            if step == "move":
                stage = ("head", "answer")[number % 2]
                unfinished.move(key, stage, now)
                model[key] = model[key][0], stage, now
            else:
                unfinished.end(key)
                del model[key]
        elif step == "wait":
            now += number
            due = {key for key, (_, stage, since) in model.items() if since + PATIENCE_S[stage] <= now}
            assert set(unfinished.overdue(now)) == due
            model = {key: entry for key, entry in model.items() if key not in due}
        assert len(unfinished) == len(model)
        deadlines = [since + PATIENCE_S[stage] for _, stage, since in model.values()]
        assert unfinished.next_deadline() == min(deadlines, default=math.inf)
