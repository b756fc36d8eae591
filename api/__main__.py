"""`python -m api`: serves HTTP with gunicorn until SIGTERM."""

from __future__ import annotations

import resource
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from api.app import create_app
from api.handing_over import Worker
from api.http_metrics import Places
from api.server_log import ServerLog
from api.settings import ApiSettings
from broker.process import die_with_parent, share_arenas
from db.logs import configure

GRACE_S = 10
LONGEST_LINE = 8190
# Files of a process beside its streams: gunicorn's connections, the database's, logs.
FILES = 1500
# Enough for threads that wait most of the time; `python -m bench.line` shows what a process takes.
ARENAS = 2


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn, told everything by our settings and nothing by files or arguments."""

    def __init__(self, app: Flask, settings: ApiSettings, places: Places) -> None:
        self.app, self.settings, self.places = app, settings, places
        super().__init__()

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.api_processes,
            "threads": self.settings.api_threads,
            # Threads, because a request that waits for its job must not hold a process; event streams leave them.
            "worker_class": Worker,
            "timeout": max(60, int(self.settings.wait_max_s) + 30),
            "graceful_timeout": GRACE_S,
            "keepalive": 15,
            # The settings of a batch may stand in its address; this is the most that gunicorn can be told.
            "limit_request_line": LONGEST_LINE,
            "accesslog": None,  # api.requests writes the line, without query strings
            "logger_class": ServerLog,
            "loglevel": self.settings.log_level.lower(),
            "control_socket_disable": True,
            "pre_fork": self.places.take,
            # Processes that outlived a killed gunicorn would hold the port against the next one.
            "post_fork": lambda server, _: die_with_parent(server.pid),
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.app


def allow_files(count: int) -> None:
    """Each connection is an open file, and shells allow a thousand; more, if the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        most = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main() -> None:
    settings = ApiSettings()
    share_arenas(ARENAS)
    configure(settings, "gradeline-api")
    allow_files(settings.streams + FILES)
    places = Places()  # before anything is counted
    Server(create_app(settings), settings, places).run()


if __name__ == "__main__":
    main()
