"""The port on which a worker's parent says to Prometheus what it and its children count."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

import psutil
from billiard.process import current_process
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from broker.counting import everybody, share
from worker.metrics import counted
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)


ANSWER_S = 5.0


class Family(Collector):
    """The parent's children, as they are now."""

    def collect(self) -> Iterator[Metric]:
        me = psutil.Process()
        sizes = []
        for child in me.children():
            try:
                sizes.append(child.memory_info().rss)
            except psutil.Error:
                continue  # it has just ended
        yield GaugeMetricFamily("gradeline_worker_children", "Child processes of this worker", len(sizes))
        whole = sum(sizes) + me.memory_info().rss
        yield GaugeMetricFamily("gradeline_worker_memory_bytes", "Memory of this worker with its children", whole)


class Handler(BaseHTTPRequestHandler):
    """`GET /metrics`. It logs nothing: the parent forks, and a lock that this thread held then would stay locked there."""

    timeout = ANSWER_S

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        body = generate_latest(everybody(counted().registry)) + generate_latest(_family())
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(TCPServer):
    """One scrape at a time. Not http.server's own, which asks the name service who we are before it listens."""

    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        pass  # whoever asked has gone


def serve(settings: WorkerSettings) -> Server | None:
    """Counts together with the children that will be forked, and answers on the port; nothing of it without one.

    A port that is taken, as by another worker of the machine, leaves a warning: grading matters more.
    """
    if not settings.metrics_port:
        return None
    try:
        server = Server((settings.metrics_host, settings.metrics_port), Handler)
    except OSError as error:
        log.warning("nobody can read metrics on port %d: %s", settings.metrics_port, error.strerror)
        return None
    share(_place)
    counted()
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _place() -> str:
    """Celery gives a child that replaces another one its number."""
    index = getattr(current_process(), "index", None)
    return "parent" if index is None else f"child{index}"


def _family() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(Family())
    return registry
