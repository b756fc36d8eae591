"""`GET /metrics`: the running system in the words of Prometheus, read from the database at every scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from flask import Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.auth import allow
from api.jobs import KEY, WRONG, services
from api.running import routes as routes
from db.figures import RECENT_S, Figures, figures
from db.worker import Worker, live_workers

RECENTLY = f"in the last {RECENT_S:.0f} seconds"


class Now(Collector):
    """One scrape's figures."""

    def __init__(self, found: Figures, children: Iterable[Worker]) -> None:
        self.found, self.children = found, list(children)

    def collect(self) -> Iterator[Metric]:
        """Gauges: the rows are counted anew each time, so that every API process says the same."""
        jobs = GaugeMetricFamily("gradeline_open_jobs", "Jobs that wait or run", labels=["queue", "state"])
        for (queue, state), count in self.found.open_jobs.items():
            jobs.add_metric([queue, state], count)
        yield jobs
        workers = GaugeMetricFamily("gradeline_workers", "Live worker children", labels=["engine", "model", "device"])
        for labels, count in Counter((c.engine, c.model, c.device) for c in self.children).items():
            workers.add_metric(labels, count)
        yield workers
        without = sum(c.engine == "surface" for c in self.children)
        yield GaugeMetricFamily("gradeline_workers_degraded", "Live worker children without their engine", without)
        yield GaugeMetricFamily("gradeline_recent_results", f"Results {RECENTLY}", self.found.results)
        degraded = f"Results {RECENTLY} by the surface head alone"
        yield GaugeMetricFamily("gradeline_recent_results_degraded", degraded, self.found.degraded)
        cached = f"Results {RECENTLY} taken from an earlier job on the same text"
        yield GaugeMetricFamily("gradeline_recent_results_cached", cached, self.found.cached)


@routes.get("/metrics", responses={200: None, **WRONG}, security=KEY)
def metrics() -> Response:
    """Figures for Prometheus (scope admin)"""
    allow("admin")
    with services().database.session() as session:
        now = Now(figures(session), live_workers(session, services().settings.live_s))
        registry = CollectorRegistry()
        registry.register(now)
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
