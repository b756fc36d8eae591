"""How the default head's penalty is chosen."""

from __future__ import annotations

from heads.fit import least_of_the_best


def test_of_penalties_that_agree_alike_the_smallest_is_taken():
    assert least_of_the_best({3e3: 0.481, 1e4: 0.489, 3e4: 0.492, 6e4: 0.493}) == 3e4
    assert least_of_the_best({3e3: 0.444, 1e4: 0.442, 3e4: 0.443, 6e4: 0.444}) == 3e3


def test_a_penalty_that_agrees_better_is_taken_whatever_its_size():
    assert least_of_the_best({3e3: 0.470, 1e4: 0.489, 3e4: 0.480, 6e4: 0.495}) == 6e4
