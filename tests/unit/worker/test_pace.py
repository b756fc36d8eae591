"""How long a job takes is learned chunk by chunk."""

from __future__ import annotations

import pytest

from worker.pace import NEWEST, Pace


def test_the_first_chunk_sets_the_pace_and_later_ones_move_it():
    pace = Pace()
    pace.note("bulk", 10, 250.0)
    assert pace.job_ms == {"bulk": 25.0}
    pace.note("bulk", 10, 350.0)
    assert pace.job_ms["bulk"] == pytest.approx(25 + NEWEST * 10)


def test_each_queue_has_its_own_pace():
    pace = Pace()
    pace.note("bulk", 4, 100.0)
    pace.note("regrade", 100, 50.0)
    assert pace.job_ms == {"bulk": 25.0, "regrade": 0.5}


def test_who_reads_the_pace_keeps_what_was_read():
    pace = Pace()
    pace.note("bulk", 1, 1.0)
    read = pace.job_ms
    pace.note("bulk", 1, 9.0)
    assert read == {"bulk": 1.0}
