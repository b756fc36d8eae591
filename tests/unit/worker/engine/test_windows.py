"""Nothing of a text is lost, and nothing is counted twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.windows import as_read, batches, cut, padded, spread

LENGTHS = st.integers(0, 3000)


@given(LENGTHS, st.integers(8, 600), st.integers(0, 300))
def test_every_token_is_pooled_from_exactly_one_window(length, room, overlap):
    ids = list(range(length))
    pooled = [token for w in cut(0, ids, room, overlap) for token in w.ids[w.first : w.last]]
    assert pooled == ids


@given(LENGTHS, st.integers(8, 600), st.integers(0, 300))
def test_no_window_is_longer_than_there_is_room(length, room, overlap):
    windows = cut(0, list(range(length)), room, overlap)
    assert all(w.size <= room for w in windows) and len(windows) >= 1


@given(st.integers(127, 20_000))
def test_windows_of_a_text_are_of_one_size_and_share_tokens(length):
    windows = cut(0, list(range(length)), 126, 16)
    assert max(w.size for w in windows) == min(w.size for w in windows)
    assert len(windows) == -(-(length - 16) // 110)  # no more than it takes
    for before, after in pairwise(windows):
        assert len(set(before.ids) & set(after.ids)) >= 16


@given(st.lists(st.integers(0, 512), max_size=60), st.integers(512, 8192))
def test_batches_hold_each_window_once_and_stay_within_the_budget(sizes, budget):
    groups = batches(sizes, budget)
    assert sorted(place for group in groups for place in group) == list(range(len(sizes)))
    assert all(len(group) * max(sizes[k] for k in group) <= budget for group in groups)


@given(st.lists(st.integers(0, 126), max_size=60), st.integers(1, 4), st.integers(1, 8))
def test_windows_are_spread_over_lanes_in_groups_of_like_length(sizes, lanes, most):
    groups = spread(sizes, lanes, most)
    assert sorted(place for group in groups for place in group) == list(range(len(sizes)))
    assert all(1 <= len(group) <= most for group in groups)
    assert len(groups) % lanes == 0 or len(groups) == len(sizes)  # no lane is idle, unless every window is alone
    assert max(map(len, groups), default=0) - min(map(len, groups), default=0) <= 1
    ordered = [sizes[place] for group in groups for place in group]
    assert ordered == sorted(sizes, reverse=True)


def test_one_text_keeps_two_lanes_busy():
    assert spread([112] * 4, 2, 4) == [[0, 1], [2, 3]]


def test_what_is_fitted_to_other_windows_is_told_apart():
    assert as_read("abc", 256) == "abc-w256-once"


def test_special_tokens_frame_a_window_and_are_not_pooled():
    ids, mask, pool = padded([*cut(0, [7, 8, 9], 10, 0), *cut(1, [5], 10, 0)], [101], [102], 0)
    assert ids.tolist() == [[101, 7, 8, 9, 102], [101, 5, 102, 0, 0]]
    assert mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert pool.tolist() == [[0, 1, 1, 1, 0], [0, 1, 0, 0, 0]]


@given(st.integers(0, 98), st.sampled_from([1, 16, 32]))
def test_a_length_is_rounded_up_but_not_beyond_the_positions_that_there_are(size, multiple):
    ids, mask, pool = padded(cut(0, [7] * size, 98, 0), [1], [2], 0, multiple, 100)
    assert ids.shape == mask.shape == pool.shape
    assert ids.shape[1] % multiple == 0 or ids.shape[1] == 100
    assert size + 2 <= ids.shape[1] < min(size + 2 + multiple, 101)
    assert mask.sum() == size + 2 and pool.sum() == (size or 2)


def test_a_text_without_tokens_still_has_something_to_pool():
    assert padded(cut(0, [], 10, 0), [101], [102], 0)[2].tolist() == [[1, 1]]


def test_an_overlap_is_shared_in_its_middle():
    first, second = cut(0, list(range(14)), 10, 4)
    assert (list(first.ids), first.first, first.last) == (list(range(9)), 0, 7)
    assert (list(second.ids), second.first, second.last) == (list(range(5, 14)), 2, 9)
    assert np.array_equal([*first.ids[0:7], *second.ids[2:9]], range(14))
