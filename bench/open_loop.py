"""Requests at fixed times, whether or not earlier ones have been answered, and what of it is told.

A caller that waits for its answer before it asks again asks less while a server is slow, and so leaves out the worst of it
(coordinated omission). Here each request has its time; its latency counts from that time, also when a thread was late.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answered:
    """One request: seconds from its intended time to the end of its answer, and how late it was sent."""

    latency_s: float
    late_s: float
    answer: Any


def schedule(per_s: float, seconds: float) -> list[float]:
    """Seconds from the beginning at which each request is due."""
    return [n / per_s for n in range(round(per_s * seconds))]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share (0 to 1) of the values does not exceed."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def run(call: Callable[[int], Any], due: Sequence[float], threads: int) -> list[Answered]:
    """Calls with 0, 1, 2, ... at their times from several threads; in the order in which they were due.

    What a call raises ends the run, and is raised here.
    """
    results: list[Answered | None] = [None] * len(due)
    failed: list[BaseException] = []
    turns, began = itertools.count(), time.perf_counter() + 0.1

    def work() -> None:
        try:
            while not failed and (n := next(turns)) < len(due):
                at = began + due[n]
                time.sleep(max(0.0, at - time.perf_counter()))
                sent = time.perf_counter()
                answer = call(n)
                results[n] = Answered(time.perf_counter() - at, sent - at, answer)
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it is raised again where the threads are joined
            failed.append(error)

    working = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, max(1, len(due))))]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    if failed:
        raise failed[0]
    return [each for each in results if each is not None]
