"""`python -m api.hooks`: the process that sends webhooks, so that a slow endpoint holds up nobody's grading.

Deliveries are rows; this process reads which are due, sends their ids through a queue of their own, and a Celery worker with
threads, in the same process, takes them. Several may run: they share the work.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from typing import Any

import psycopg
from celery import Celery, signals
from kombu.exceptions import OperationalError

from api.delivering import Delivering
from api.settings import ApiSettings
from broker import check
from broker.app import make_app, queue_of
from broker.logs import configure, discreetly
from broker.pulse import Pulse
from broker.traces import make_traces
from db import deliveries
from db.deliveries import DUE
from db.errors import DatabaseAway
from db.session import Database

log = logging.getLogger(__name__)

QUEUE = "webhooks"
DELIVER = "api.deliver"
FORGET_S, FORGET_ROWS = 60.0, 1000
AWAY_S = 1.0


class Courier:
    """A thread that sends ids of due deliveries: when one is written, when one has ended, and every second."""

    def __init__(self, database: Database, app: Celery, settings: ApiSettings, hold_s: float) -> None:
        self._database, self._app, self._settings, self._hold_s = database, app, settings, hold_s
        self.pulse = Pulse(settings.heartbeat_file, settings.live_s, "courier")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._forgot = 0.0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        settings = self._settings
        while not self._stop.is_set():
            try:
                with self._database.listener() as heard:
                    heard.execute(f"LISTEN {DUE}")
                    while not self._stop.is_set():
                        self.round()
                        self.pulse.beat()
                        for _ in heard.notifies(timeout=settings.sweep_s, stop_after=1):
                            pass
            except (psycopg.Error, DatabaseAway, OperationalError) as error:
                log.warning(
                    "webhooks wait: %s is away", "the broker" if isinstance(error, OperationalError) else "the database"
                )
                self._stop.wait(AWAY_S)
            except Exception:
                log.exception("sending webhooks failed, it is tried again")
                self._stop.wait(AWAY_S)

    def round(self) -> int:
        """Sends what is due and has room; returns how many. DatabaseAway, or OperationalError when the broker is away."""
        settings = self._settings
        with self._database.session() as session:
            deliveries.tell_batches(session)
        with self._database.session() as session:
            due = deliveries.take(session, settings.webhook_endpoint_most, 2 * settings.webhook_threads, self._hold_s)
        for n, (delivery_id, attempts) in enumerate(due):
            try:
                self._app.send_task(DELIVER, args=[str(delivery_id), attempts], queue=QUEUE, retry=False)
            except OperationalError:
                with self._database.session() as session:
                    deliveries.put_back(session, [each for each, _ in due[n:]])
                raise
        if time.monotonic() - self._forgot > FORGET_S:
            self._forgot = time.monotonic()
            with self._database.session() as session:
                deliveries.forget_old(session, settings.webhook_keep_days, FORGET_ROWS)
        return len(due)


class Hooks:
    """The process: a Celery worker of threads, and the courier."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings, self.app = settings, make_app(settings)
        database = Database(settings)
        self.traces = make_traces(settings, "gradeline-hooks")
        delivering = Delivering(database, settings, self.traces)
        self.courier = Courier(database, self.app, settings, delivering.hold_s)
        self.app.conf.update(
            task_queues=[queue_of(QUEUE)],
            # Threads can't be killed; every attempt has a time of its own.
            task_time_limit=None, task_soft_time_limit=None,
        )  # fmt: skip
        self.pulse = Pulse(settings.heartbeat_file, settings.live_s)
        register(self.app, delivering)
        signals.heartbeat_sent.connect(self.beat, weak=False)
        signals.worker_ready.connect(self.begin, weak=False)
        signals.worker_shutting_down.connect(self.hurry, weak=False)

    def begin(self, **_: Any) -> None:
        self.courier.start()

    def beat(self, **_: Any) -> None:
        """Every two seconds while the broker is there; the courier speaks for the database."""
        if self.courier.pulse.holds():
            self.pulse.beat()

    def hurry(self, **_: Any) -> None:
        """An endpoint that is slow is not waited for: the delivery is due again when nobody settles it."""
        self.courier.stop()
        self.traces.stop()
        timer = threading.Timer(self.settings.worker_grace_s, os._exit, (0,))
        timer.daemon = True
        timer.start()

    def run(self) -> None:
        arguments = ["--quiet", "worker", "--pool=threads", f"--concurrency={self.settings.webhook_threads}"]
        name = f"--hostname=hooks-{os.getpid()}@{socket.gethostname()}"
        quiet = ["--without-gossip", "--without-mingle", f"--loglevel={self.settings.log_level}"]
        self.app.worker_main([*arguments, name, *quiet])


def register(app: Celery, delivering: Delivering) -> None:
    """The task is a shell: what it does is tested without Celery."""

    @app.task(name=DELIVER)  # type: ignore[untyped-decorator]  # Celery has no types
    def deliver(delivery_id: str, attempts: int) -> None:
        with discreetly():
            delivering(uuid.UUID(delivery_id), attempts)


def main() -> None:
    settings = ApiSettings()
    configure(settings, "gradeline-hooks")
    check.tell(settings)  # what is away now is waited for all the same
    Hooks(settings).run()


if __name__ == "__main__":
    main()
