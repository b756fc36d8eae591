"""How long a job of each queue takes this child, so that messages can be cut to a time instead of a number."""

from __future__ import annotations

# Weight of the newest chunk: a class of longer essays is known after three chunks, one odd chunk changes little.
NEWEST = 0.3


class Pace:
    """Milliseconds a job, by queue: exponentially weighted means over chunks."""

    def __init__(self) -> None:
        self.job_ms: dict[str, float] = {}

    def note(self, queue: str, jobs: int, ms: float, parallel: int = 1) -> None:
        """A chunk of so many jobs took so long, from claim to commit, on an engine that computes `parallel` texts at once.

        It would have taken as many more as the engine had room for in the same time. Else a slow model that is sent texts one by
        one is taken for slower than it is, and goes on to be sent them one by one, each on one core.
        """
        each = ms / (-(-jobs // parallel) * parallel)
        before = self.job_ms.get(queue, each)
        # A new mapping: the heart reads the old one meanwhile.
        self.job_ms = {**self.job_ms, queue: round(before + NEWEST * (each - before), 4)}
