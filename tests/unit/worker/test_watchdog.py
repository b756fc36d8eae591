"""A worker ends when it is deaf, and only then."""

from __future__ import annotations

from kombu.exceptions import OperationalError

from worker.watchdog import DEAF, Watchdog


class Parent:
    """What a watchdog sees of a worker, and whether it ended it."""

    def __init__(self, deaf_s: float = 0.001) -> None:
        self.messages, self.busy, self.away, self.ended = {"a": 0, "b": 0}, False, False, []
        self.watchdog = Watchdog(["a", "b"], deaf_s, self.waiting, lambda: self.busy, self.ended.append)
        self.watchdog._since -= 60  # nothing was heard for a minute

    def waiting(self, queue: str) -> int:
        if self.away:
            raise OperationalError("the broker is away")
        return self.messages[queue]

    def look(self) -> list[int]:
        self.watchdog.look()
        return self.ended


def test_messages_that_an_idle_worker_does_not_take_end_it():
    parent = Parent()
    parent.messages["b"] = 3
    assert parent.look() == [DEAF]


def test_a_worker_with_nothing_to_take_goes_on():
    assert Parent().look() == []


def test_a_worker_in_a_long_chunk_goes_on_and_so_it_does_right_after_it():
    parent = Parent(deaf_s=30)
    parent.messages["a"], parent.busy = 9, True
    assert parent.look() == []
    parent.busy = False
    assert parent.look() == []


def test_a_worker_that_has_just_taken_a_message_goes_on():
    parent = Parent(deaf_s=30)
    parent.messages["a"] = 9
    parent.watchdog.heard()
    assert parent.look() == []


def test_while_the_broker_is_away_nobody_is_deaf_nor_at_once_when_it_is_back():
    parent = Parent(deaf_s=30)
    parent.messages["a"], parent.away = 9, True
    assert parent.look() == []
    parent.away = False
    assert parent.look() == []
