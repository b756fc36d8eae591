"""How long a job of each queue takes this child, so that messages can be cut to a time instead of a number."""

from __future__ import annotations

# Weight of the newest chunk: a class of longer essays is known after three chunks, one odd chunk changes little.
NEWEST = 0.3


class Pace:
    """Milliseconds a job, by queue: exponentially weighted means over chunks."""

    def __init__(self) -> None:
        self.job_ms: dict[str, float] = {}

    def note(self, queue: str, jobs: int, ms: float) -> None:
        """A chunk of so many jobs took so long to be scored, from its claim on, or from the scores of the chunk before if
        these came later."""
        each = ms / jobs
        before = self.job_ms.get(queue, each)
        # A new mapping: the heart reads the old one meanwhile.
        self.job_ms = {**self.job_ms, queue: round(before + NEWEST * (each - before), 4)}
