"""Requests at fixed times, and what is told of them."""

from __future__ import annotations

import time

import pytest

from bench.open_loop import percentile, run, schedule


def test_requests_are_due_evenly_from_the_beginning():
    assert schedule(4, 1.5) == [0, 0.25, 0.5, 0.75, 1.0, 1.25]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_a_value_that_occurred(share, value):
    assert percentile(list(range(100, 0, -1)), share) == value


def test_a_percentile_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_answers_come_in_the_order_in_which_they_were_due():
    answers = run(lambda n: n * n, schedule(500, 0.02), threads=4)
    assert [each.answer for each in answers] == [n * n for n in range(10)]


def test_latency_counts_from_the_intended_time_also_when_the_caller_was_busy():
    # One thread, one call of 0.1 s every 0.02 s: the last of three is due at 0.04 s and ends at 0.3 s.
    answers = run(lambda _: time.sleep(0.1), schedule(50, 0.06), threads=1)
    assert answers[2].latency_s >= 0.25
    assert answers[2].late_s >= 0.15


def test_what_a_call_raises_ends_the_run():
    def call(n: int) -> int:
        if n == 1:
            raise SystemExit("refused")
        return n

    with pytest.raises(SystemExit, match="refused"):
        run(call, schedule(100, 0.05), threads=2)
