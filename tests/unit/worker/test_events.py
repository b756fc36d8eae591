"""Events of tasks go to Flower a few times a second, not one by one, and the last chunk's are not lost."""

from __future__ import annotations

import time

import pytest

from worker.events import EVERY_S, Gathering


class Hub:
    def __init__(self) -> None:
        self.due = []

    def call_later(self, seconds, call):
        assert seconds == EVERY_S
        self.due.append(call)


class Told:
    times = 0

    def flush(self) -> None:
        self.times += 1


@pytest.fixture
def consumer():
    made = Gathering.__new__(Gathering)  # Celery's own needs a whole worker
    made.hub, made.event_dispatcher = Hub(), Told()
    return made


def test_events_that_come_within_the_time_are_sent_together(consumer):
    for _ in range(3):
        consumer.on_send_event_buffered()
    assert len(consumer.hub.due) == 1 and consumer.event_dispatcher.times == 0
    consumer.hub.due.pop()()
    assert consumer.event_dispatcher.times == 1


def test_events_that_come_after_a_lost_connection_are_sent_all_the_same(consumer, monkeypatch):
    consumer.on_send_event_buffered()
    consumer.hub.due.clear()  # as Celery does then
    later = time.monotonic() + EVERY_S
    monkeypatch.setattr("worker.events.time.monotonic", lambda: later)
    consumer.on_send_event_buffered()
    assert len(consumer.hub.due) == 1
