"""The gauges of `/metrics`: what of the database's figures is told, under which name and labels.

No tenant, job, key or text is a label; rubrics are as many as `GRADELINE_METRICS_RUBRICS` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric

from broker.chunks import chunk_size
from broker.queues import lane_of
from broker.settings import BrokerSettings
from db.figures import MOST, RECENT, RECENT_S, QueueNow, Results, Webhooks
from db.worker import NOBODY, Live, Worker

LATELY = f"in the last {RECENT_S:.0f} seconds"


@dataclass(frozen=True)
class Gauge:
    """A family that has no values yet."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def of(self, values: Mapping[tuple[str, ...], float]) -> Metric:
        """With a value for each tuple of labels."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def is_(self, value: float) -> Metric:
        """With one value."""
        return GaugeMetricFamily(self.name, self.help, value)


QUEUE = ("queue", "lane")
DATABASE_UP = Gauge("gradeline_database_up", "Whether the database answered this scrape")
PART_UP = Gauge("gradeline_scrape_part_up", "Whether a part of this scrape could be read in its time", ("part",))
JOBS = Gauge(
    "gradeline_jobs", f"Jobs that wait, are held for a baseline, run, or have failed; {MOST} at most", ("state",)
)
DEPTH = Gauge("gradeline_queue_depth", f"Jobs that wait for a worker, in the broker or not; {MOST} at most", QUEUE)
OLDEST = Gauge("gradeline_queue_oldest_seconds", "Seconds that the oldest of them has waited", QUEUE)
RUNNING = Gauge("gradeline_queue_running", "Jobs that workers hold", QUEUE)
CONSUMERS = Gauge("gradeline_queue_workers", "Live worker children that take from the queue", QUEUE)
WINDOW = Gauge("gradeline_window_jobs", "Jobs that are in the broker", QUEUE)
WINDOW_SIZE = Gauge("gradeline_window_size", "Jobs that the broker is given at most", QUEUE)
WINDOW_OLDEST = Gauge("gradeline_window_oldest_seconds", "Seconds that one has been in the broker unclaimed", QUEUE)
WORKERS = Gauge("gradeline_workers", "Live worker children", ("engine", "model", "device"))
WORKERS_DEGRADED = Gauge("gradeline_workers_degraded", "Live worker children without their engine")
MODEL = Gauge(
    "gradeline_model_info",
    "What live children grade with; the value is 1",
    ("engine", "model", "revision", "head", "device"),
)
RESULTS = Gauge("gradeline_recent_results", f"Results {LATELY}, the newest {RECENT} at most")
DEGRADED = Gauge("gradeline_recent_results_degraded", "Of these, those by the surface head alone")
CACHED = Gauge("gradeline_recent_results_cached", "Of these, those taken from an earlier job on the same text")
WEBHOOKS = Gauge("gradeline_webhooks", "Deliveries of webhooks that wait: for the first time, or again", ("state",))
WEBHOOKS_ENDED = Gauge(
    "gradeline_webhooks_recent", f"Deliveries that were delivered, or given up as failed, {LATELY}", ("outcome",)
)
WEBHOOKS_DUE = Gauge("gradeline_webhooks_due_seconds", "Seconds that a delivery is overdue which nobody has taken")
SCORES = Gauge(
    "gradeline_scores", "The newest results of a rubric, by the fifth of the scale in which the score lies",
    ("rubric", "criterion", "fifth"),
)  # fmt: skip
PSI = Gauge(
    "gradeline_score_drift_psi", "How far they are from what the calibration led one to expect", ("rubric", "criterion")
)
NOISE = Gauge(
    "gradeline_score_drift_noise",
    "What so few results exceed by chance once in a thousand times",
    ("rubric", "criterion"),
)
ALL = (
    DATABASE_UP, PART_UP, JOBS, DEPTH, OLDEST, RUNNING, CONSUMERS, WINDOW, WINDOW_SIZE, WINDOW_OLDEST, WORKERS,
    WORKERS_DEGRADED, MODEL, RESULTS, DEGRADED, CACHED, WEBHOOKS, WEBHOOKS_ENDED, WEBHOOKS_DUE, SCORES, PSI, NOISE,
)  # fmt: skip


def of_queues(found: Mapping[str, QueueNow], lives: Mapping[str, Live], settings: BrokerSettings) -> Iterator[Metric]:
    """Each queue in which something waits or runs, or that a live worker takes from."""
    known = {name: (found.get(name, QueueNow()), lives.get(name, NOBODY)) for name in sorted({*found, *lives})}
    labels = {name: (name, lane_of(name)) for name in known}
    yield DEPTH.of({labels[name]: now.waiting for name, (now, _) in known.items()})
    yield OLDEST.of({labels[name]: now.oldest_s for name, (now, _) in known.items()})
    yield RUNNING.of({labels[name]: now.running for name, (now, _) in known.items()})
    yield CONSUMERS.of({labels[name]: live.children for name, (_, live) in known.items()})
    yield WINDOW.of({labels[name]: now.window for name, (now, _) in known.items()})
    sizes = {name: chunk_size(name, live.job_ms, settings) * max(1, live.children) for name, (_, live) in known.items()}
    yield WINDOW_SIZE.of({labels[name]: size * settings.window_chunks for name, size in sizes.items()})
    yield WINDOW_OLDEST.of({labels[name]: now.marked_s for name, (now, _) in known.items()})


def of_jobs(found: Mapping[str, QueueNow], held: int, failed: int) -> Iterator[Metric]:
    """Everything that is open, and what failed."""
    waiting, running = sum(now.waiting for now in found.values()), sum(now.running for now in found.values())
    yield JOBS.of({("queued",): waiting, ("held",): held, ("running",): running, ("failed",): failed})


def of_workers(children: Sequence[Worker]) -> Iterator[Metric]:
    """Who lives, and what they grade with."""
    yield WORKERS.of(Counter((c.engine, c.model, c.device) for c in children))
    yield WORKERS_DEGRADED.is_(sum(c.engine == "surface" for c in children))
    yield MODEL.of({(c.engine, c.model, c.revision, c.head, c.device): 1 for c in children})


def of_results(found: Results) -> Iterator[Metric]:
    """What was graded lately."""
    yield RESULTS.is_(found.results)
    yield DEGRADED.is_(found.degraded)
    yield CACHED.is_(found.cached)


def of_webhooks(found: Webhooks) -> Iterator[Metric]:
    """What becomes of deliveries."""
    yield WEBHOOKS.of({("new",): found.pending - found.retried, ("retried",): found.retried})
    yield WEBHOOKS_ENDED.of({("delivered",): found.delivered, ("failed",): found.failed})
    yield WEBHOOKS_DUE.is_(found.due_s)
