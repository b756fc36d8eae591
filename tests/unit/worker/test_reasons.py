"""Why an attempt did not end, and whether its jobs may be to blame."""

from __future__ import annotations

import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from db.errors import DatabaseAway
from worker.losses import OutOfMemory
from worker.reasons import counts, reason
from worker.results import problem_of


@pytest.mark.parametrize(
    ("error", "code", "counted"),
    [
        (SoftTimeLimitExceeded(), "timed_out", True),
        (TimeLimitExceeded(10), "timed_out", True),
        (MemoryError(), "out_of_memory", True),
        (KeyError("a bug"), "internal", True),
        (WorkerLostError(), "internal", True),
        (SystemExit(), "worker_stopped", False),
        (KeyboardInterrupt(), "worker_stopped", False),
        (DatabaseAway(), "not_kept", False),
    ],
)
def test_every_end_has_a_reason_and_only_what_a_text_may_have_caused_counts(error, code, counted):
    assert (reason(error)["code"], counts(error)) == (code, counted)


def test_a_single_text_that_the_memory_does_not_suffice_for_says_so():
    assert problem_of(MemoryError())["code"] == "out_of_memory"


def test_a_kill_for_want_of_memory_is_known_by_the_kernels_count_since_the_last_look(tmp_path):
    count = tmp_path / "vmstat"
    count.write_text("pgpgin 5\noom_kill 7\n")
    kills = OutOfMemory(count)
    assert not kills.happened()
    count.write_text("pgpgin 9\noom_kill 8\n")
    assert kills.happened()
    kills.look()
    assert not kills.happened()


def test_a_system_that_counts_no_kills_never_says_so(tmp_path):
    assert not OutOfMemory(tmp_path / "nothing").happened()
