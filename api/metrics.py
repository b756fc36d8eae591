"""`GET /metrics`: the running system in the words of Prometheus.

What the requests of this API's processes cost, which is counted here, and the database's figures, which are read anew at every
scrape, so that every API process says the same of them.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flask import Flask, Response, current_app, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from api import gauges
from api.auth import allow
from api.drift import Spreads
from api.http_metrics import Requests
from api.routing import KEY, WRONG, services
from api.running import routes as routes
from api.settings import ApiSettings
from db import figures
from db.errors import DatabaseAway, TookTooLong
from db.session import Database
from db.worker import live_by_queue, live_workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Told:
    """What `/metrics` tells, kept from scrape to scrape."""

    requests: Requests
    spreads: Spreads


class Now(Collector):
    """One scrape of the database. It goes part by part: one that takes too long is left out, and the rest is told."""

    def __init__(self, database: Database, settings: ApiSettings, spreads: Spreads) -> None:
        self.database, self.settings, self.spreads = database, settings, spreads

    def collect(self) -> Iterator[Metric]:
        """While the database is away: that, and nothing else."""
        parts: dict[tuple[str, ...], float] = {}
        told: list[Metric] = []
        up = True
        for name, read in self._parts().items():
            try:
                told += read()
                parts[name,] = 1
            except TookTooLong as error:
                log.warning("/metrics goes without %s: %s", name, error)
                parts[name,] = 0
            except DatabaseAway:
                up = False
                break
        yield gauges.DATABASE_UP.is_(up)
        yield gauges.PART_UP.of(parts)
        yield from told

    def _parts(self) -> dict[str, Callable[[], list[Metric]]]:
        return {
            "workers": self._of(self._workers),
            "queues": self._of(self._queues),
            "results": self._of(lambda session: gauges.of_results(figures.recent_results(session))),
            "webhooks": self._of(lambda session: gauges.of_webhooks(figures.webhooks_now(session))),
            "scores": lambda: list(self.spreads.collect()),
        }

    def _of(self, tell: Callable[[Session], Iterator[Metric]]) -> Callable[[], list[Metric]]:
        def read() -> list[Metric]:
            with figures.hurried(self.database, self.settings.metrics_statement_ms) as session:
                return list(tell(session))

        return read

    def _workers(self, session: Session) -> Iterator[Metric]:
        return gauges.of_workers(live_workers(session, self.settings.live_s))

    def _queues(self, session: Session) -> Iterator[Metric]:
        found = figures.queues_now(session)
        yield from gauges.of_queues(found, live_by_queue(session, self.settings.live_s), self.settings)
        yield from gauges.of_jobs(found, figures.held_jobs(session), figures.failed_jobs(session))


def install(app: Flask, counted: Requests) -> None:
    """Keeps what the route needs with the app."""
    settings: ApiSettings = app.extensions["gradeline"].settings
    spreads = Spreads(app.extensions["gradeline"].database, settings.metrics_rubrics, settings.metrics_statement_ms)
    app.extensions["gradeline.metrics"] = Told(counted, spreads)


@routes.get("/metrics", responses={200: None, **WRONG}, security=KEY)
def metrics() -> Response:
    """Figures for Prometheus (scope admin, or the token of GRADELINE_METRICS_TOKEN)"""
    settings = services().settings
    if not has_token(settings.metrics_token):
        allow("admin")
    told: Told = current_app.extensions["gradeline.metrics"]
    registry = CollectorRegistry()
    registry.register(Now(services().database, settings, told.spreads))
    body = generate_latest(told.requests.registry) + generate_latest(registry)
    return Response(body, content_type=CONTENT_TYPE_LATEST)


def has_token(token: str) -> bool:
    """Whether the request brings the token. It needs no database: metrics are most wanted when that is away."""
    given = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())
