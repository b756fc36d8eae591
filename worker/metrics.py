"""What a worker's children count of their chunks; `worker/metrics_port.py` says it to Prometheus.

Counting costs a chunk less than a tenth of a millisecond, and each of its jobs one or two microseconds.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from broker.queues import LANES, lane_of
from broker.sweep import LOST
from db.work import Claimed, Finished
from worker import reasons

STAGES = ("claim", "files", "tokenize", "compute", "write")
KINDS = ("new", "reread", "cached", "degraded")
REASONS = ("lease_ended", str(LOST["code"]), *reasons.CODES)
CODES = ("unscorable", "model_unavailable", "out_of_memory")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 86_400)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Many(Histogram):
    """A histogram that takes a chunk's values at once: one by one, they would cost each job as much as a histogram a chunk."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        self._sum.inc(sum(amounts))
        for place, count in Counts(bisect_left(self._upper_bounds, amount) for amount in amounts).items():
            self._buckets[place].inc(count)


class Counted:
    """Everything that a worker counts. Labels are words of our own: no tenant, no job, no text."""

    def __init__(self) -> None:
        self.registry = own = CollectorRegistry()
        self.chunk_jobs = Histogram(
            "gradeline_chunk_jobs", "Jobs that were claimed by one message", ["lane"], buckets=SIZES, registry=own
        )
        self.stages = Histogram(
            "gradeline_stage_seconds", "Seconds of a chunk in each stage", ["stage"], buckets=SECONDS, registry=own
        )
        self.waits = Many(
            "gradeline_job_wait_seconds", "Seconds from hand-in to claim", ["lane"], buckets=WAITS, registry=own
        )
        self.whole = Many(
            "gradeline_job_seconds", "Seconds from hand-in to result", ["lane"], buckets=WAITS, registry=own
        )
        self.tokens = Counter("gradeline_tokens", "Tokens that the encoder has read", registry=own)
        self.results = Counter(
            "gradeline_results", "Results that were written: new, of a vector that was kept (reread), cached, degraded",
            ["kind"], registry=own,
        )  # fmt: skip
        self.failures = Counter("gradeline_failures", "Jobs that could not be graded", ["code"], registry=own)
        self.lost = Counter(
            "gradeline_attempts_lost", "Attempts that ended without an end of their job", ["reason"], registry=own
        )
        self._begin()

    def _begin(self) -> None:
        """What has not happened is told as 0: of a count that appears later, the first step can't be seen."""
        for lane in LANES:
            for each in (self.chunk_jobs, self.waits, self.whole):
                each.labels(lane)
        for metric, words in (
            (self.stages, STAGES),
            (self.results, KINDS),
            (self.failures, CODES),
            (self.lost, REASONS),
        ):
            for word in words:
                metric.labels(word)

    def chunk(self, queue: str, held: Sequence[Claimed], began: float) -> Chunk:
        """A chunk that was just claimed; `began` (perf_counter) is when that was asked for."""
        lane = lane_of(queue)
        self.chunk_jobs.labels(lane).observe(len(held))
        self.waits.labels(lane).observe_all([job.queue_ms / 1000 for job in held])
        self.stages.labels("claim").observe(time.perf_counter() - began)
        return Chunk(self, lane)

    def lose(self, reason: str, attempts: int) -> None:
        """Attempts that were given back or taken back."""
        if attempts:
            self.lost.labels(reason).inc(attempts)


class Chunk:
    """What is counted of one chunk from its claim on."""

    def __init__(self, counted: Counted, lane: str) -> None:
        self.counted, self.lane, self.claimed = counted, lane, time.perf_counter()

    def files(self, began: float) -> None:
        """Its files have been read."""
        self.counted.stages.labels("files").observe(time.perf_counter() - began)

    def written(self, held: Sequence[Claimed], finished: Sequence[Finished], began: float) -> None:
        """What came of these jobs has been written, which began at `began`. A chunk is computed as one: its times are those
        of any of its jobs that was."""
        now, counted = time.perf_counter(), self.counted
        counted.stages.labels("write").observe(now - began)
        runs = [each.run for each in finished if each.run.get("tokens") is not None]
        if runs:
            counted.stages.labels("tokenize").observe(max(run["tokenize_ms"] for run in runs) / 1000)
            counted.stages.labels("compute").observe(max(run["inference_ms"] for run in runs) / 1000)
            counted.tokens.inc(sum(run["tokens"] for run in runs))
        took, waited = now - self.claimed, {job.id: job.queue_ms / 1000 for job in held}
        counted.whole.labels(self.lane).observe_all([waited[each.job_id] + took for each in finished])
        for kind, count in Counts(_kind(each) for each in finished if each.result).items():
            counted.results.labels(kind).inc(count)
        for code, count in Counts(each.error["code"] for each in finished if each.error).items():
            counted.failures.labels(code).inc(count)


def _kind(finished: Finished) -> str:
    result = finished.result or {}
    if result.get("degraded"):
        return "degraded"
    if result.get("cached"):
        return "cached"
    return "new" if finished.vector is not None else "reread"


@cache
def counted() -> Counted:
    """The counters of this process."""
    return Counted()
