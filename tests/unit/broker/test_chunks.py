"""What goes together in a message, and how long it may take."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.chunks import chunk_size, cut, suspects, time_limits
from broker.settings import BrokerSettings
from db.window import Taken


def test_a_message_holds_as_many_jobs_as_take_its_lanes_time():
    settings = BrokerSettings(chunk_interactive_s=0.3, chunk_bulk_s=1.0, chunk_most=256)
    # 25 ms a job: a third of a second is 12 of them, a second 40; a job of 2 s goes alone, a thousand quick ones in parts
    assert chunk_size("m.any.interactive", 25.0, settings) == 12
    assert [chunk_size("m.cpu.bulk", ms, settings) for ms in (25.0, 2000.0, 0.2, 0.0)] == [40, 1, 256, 256]


def test_the_first_message_is_small_because_nobody_knows_how_long_a_job_takes():
    assert chunk_size("m.any.bulk", None, BrokerSettings(chunk_first=8)) == 8
    assert chunk_size("m.any.bulk", None, BrokerSettings(chunk_first=8, chunk_most=4)) == 4


@pytest.mark.parametrize(
    ("attempts", "sizes"), [(1, [256]), (2, [256, 1]), (3, [256, 16, 1]), (5, [256, 64, 16, 4, 1])]
)
def test_suspects_share_ever_smaller_messages_and_the_last_attempt_is_alone(attempts, sizes):
    assert [suspects(256, losses, attempts) for losses in range(attempts)] == sizes


@given(st.integers(1, 1024), st.integers(2, 20))
def test_however_large_a_message_and_however_many_attempts_no_message_grows_and_the_last_is_alone(size, attempts):
    sizes = [suspects(size, losses, attempts) for losses in range(attempts)]
    assert sizes[0] == size and sizes[-1] == 1 and sizes == sorted(sizes, reverse=True)


@given(st.lists(st.integers(0, 2), max_size=80), st.integers(1, 30))
def test_every_job_is_in_one_message_with_others_that_were_lost_as_often(losses, size):
    taken = [Taken(uuid.uuid4(), n) for n in losses]
    chunks = cut(taken, size, size, 3)
    assert sorted(job for chunk in chunks for job in chunk.ids) == sorted(job.id for job in taken)
    lost = dict(taken)
    for chunk in chunks:
        assert {lost[job] for job in chunk.ids} == {chunk.losses}
        assert 1 <= len(chunk.ids) <= suspects(size, chunk.losses, 3)
    order = {job.id: n for n, job in enumerate(taken)}
    assert [order[chunk.ids[0]] for chunk in chunks] == sorted(order[chunk.ids[0]] for chunk in chunks)


def test_a_short_chunk_is_given_up_sooner_than_a_long_one_and_none_later_than_the_setting():
    settings = BrokerSettings(chunk_limit_s=60, time_limit_s=240)
    assert time_limits(40, 25.0, settings) == (80.0, 85.0)
    assert time_limits(1, 25.0, settings) == (60.5, 65.5)
    assert time_limits(8, None, settings) == time_limits(256, 1000.0, settings) == (235.0, 240.0)
    assert settings.time_limit_s < settings.visibility_s
