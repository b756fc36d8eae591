"""What the API counts of its requests: by method, route and status. A route is its template: no id is ever a label."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

from broker.counting import everybody, share

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
NO_ROUTE, OTHER = "unmatched", "other"


class Requests:
    """The counters of this process, and how to read those of all processes of this API."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._own = own
        self.answered = Counter(
            "gradeline_http_requests", "Requests that were answered", ["method", "route", "status"], registry=own
        )
        self.seconds = Histogram(
            "gradeline_http_request_seconds", "Seconds until the answer began", ["method", "route"], buckets=SECONDS,
            registry=own,
        )  # fmt: skip

    @property
    def registry(self) -> CollectorRegistry:
        """All processes' counters."""
        return everybody(self._own)

    def finish(self, response: Response) -> Response:
        """The request began when `api/requests.py` says."""
        route = request.url_rule.rule if request.url_rule else NO_ROUTE
        method = request.method if request.method in METHODS else OTHER
        self.answered.labels(method, route, str(response.status_code)).inc()
        self.seconds.labels(method, route).observe(time.perf_counter() - g.began)
        return response


def install(app: Flask) -> Requests:
    """Counts every request of an app, refused ones too."""
    made = Requests()
    app.after_request(made.finish)
    return made


class Places:
    """Numbers of gunicorn's processes. One that takes the place of another takes its number, and goes on with its counts."""

    def __init__(self) -> None:
        self._mine = "main"
        share(lambda: self._mine)

    def take(self, server: Any, worker: Any) -> None:
        """In gunicorn's main process, before it forks a worker."""
        taken = {other.place for other in server.WORKERS.values()}
        worker.place = next(n for n in count() if n not in taken)
        self._mine = f"api{worker.place}"
