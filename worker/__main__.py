"""`python -m worker --name cpu-1`: a Celery prefork worker that holds one model a child and grades."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
import uuid
from typing import Any

# A tokenizer that starts threads and is forked afterwards would warn and fall back anyway.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from celery import Celery, signals
from celery.worker import state

from broker import check
from broker.app import CALIBRATE, GRADE, listen, make_app
from broker.logs import configure, discreetly
from broker.messages import Messages
from broker.process import die_with_parent, give_way
from broker.pulse import Pulse
from broker.queues import consumed_by
from db.logs import about
from db.session import Database
from worker.child import CHILD, Child
from worker.events import Gathering
from worker.losses import Losses
from worker.metrics_port import serve
from worker.settings import WorkerSettings
from worker.watchdog import Watchdog


class Process:
    """One worker: the parent that talks to the broker, and in each child the thing that grades."""

    def __init__(self, settings: WorkerSettings, name: str) -> None:
        self.settings, self.name, self.pid = settings, name, os.getpid()
        serve(settings)  # before anything is counted
        self.app = make_app(settings)
        self.child: Child | None = None
        self.losses = Losses(Database(settings), settings, name)
        self.watchdog = Watchdog(
            consumed_by(settings.own_model, settings.lane_device), settings.deaf_s,
            Messages(settings), lambda: bool(state.reserved_requests),
        )  # fmt: skip
        self.pulse = Pulse(settings.heartbeat_file, settings.live_s)
        self.of_child = Pulse(settings.heartbeat_file, settings.live_s, CHILD)
        self.app.conf.update(
            worker_max_memory_per_child=settings.child_memory_mb * 1024 or None, worker_consumer=Gathering
        )
        listen(self.app, settings, settings.lane_device)
        register(self.app, self)
        signals.worker_process_init.connect(self.begin, weak=False)
        signals.worker_process_shutdown.connect(self.end, weak=False)
        signals.worker_ready.connect(self.ready, weak=False)
        signals.heartbeat_sent.connect(self.beat, weak=False)
        signals.task_received.connect(self.received, weak=False)
        signals.task_failure.connect(self.failed, weak=False)
        signals.worker_shutting_down.connect(self.hurry, weak=False)

    def begin(self, **_: Any) -> None:
        die_with_parent(self.pid)
        give_way(self.settings.nice)
        try:
            self.child = Child(self.settings, self.app, self.name)
        except BaseException:
            # Celery would swallow this and send work to a child that can't do any.
            logging.getLogger(__name__).exception("this child can't start; it tries again")
            os._exit(1)

    def end(self, **_: Any) -> None:
        if self.child is not None:
            self.child.stop()

    def ready(self, **_: Any) -> None:
        self.watchdog.start()

    def beat(self, **_: Any) -> None:
        """Every two seconds while the parent's loop turns and its broker is there; the children speak for the rest."""
        if self.of_child.holds():
            self.pulse.beat()

    def received(self, **_: Any) -> None:
        self.watchdog.heard()
        self.losses.out_of_memory.look()

    def failed(self, sender: Any, args: Any, exception: BaseException, **_: Any) -> None:
        """In the parent: a child was killed, by its time limit, the kernel or whoever. It could hand nothing back."""
        if self.child is None and sender.name == GRADE:
            self.losses.of_child([uuid.UUID(job_id) for job_id in args[0]], exception)

    def hurry(self, how: str, **_: Any) -> None:
        """A chunk that takes longer than the grace is given up: its jobs are given back, then its child is ended."""
        self.watchdog.stop()
        if how == "Warm":
            timer = threading.Timer(self.settings.worker_grace_s, self.give_up)
            timer.daemon = True
            timer.start()

    def give_up(self) -> None:
        self.losses.of_worker()
        os.kill(os.getpid(), signal.SIGQUIT)

    def run(self) -> None:
        arguments = [
            "--quiet",  # no banner: it has the form of no log, and says less than the first lines
            "worker",
            "--pool=prefork",
            f"--concurrency={self.settings.concurrency}",
            f"--hostname={self.name}",
        ]
        self.app.worker_main(
            [*arguments, f"--loglevel={self.settings.log_level}", "--without-gossip", "--without-mingle"]
        )


def register(app: Celery, process: Process) -> None:
    """The task is a shell: what it does is tested without Celery."""

    @app.task(name=GRADE, bind=True)  # type: ignore[untyped-decorator]  # Celery has no types
    def grade(task: Any, job_ids: list[str], losses: int | None = None) -> None:
        if process.child is None:
            raise RuntimeError("this child has not started")
        queue = str((task.request.delivery_info or {}).get("routing_key", ""))
        # A MemoryError, too, must not reach Celery's parent as what it is: it would end over that class.
        with about(chunk=task.request.id), discreetly():
            ids = [uuid.UUID(job_id) for job_id in job_ids]
            process.child.grade(ids, queue, losses, task.request.get("traceparent"))

    @app.task(name=CALIBRATE)  # type: ignore[untyped-decorator]  # Celery has no types
    def calibrate(calibration_id: str) -> None:
        if process.child is None:
            raise RuntimeError("this child has not started")
        with about(calibration=calibration_id), discreetly():
            process.child.calibrate(uuid.UUID(calibration_id))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--name", default="", help="name of this worker; two that run at once need two names")
    settings = WorkerSettings()
    name = parser.parse_args().name or f"{settings.lane_device}-{os.getpid()}"
    name = name if "@" in name else f"{name}@{socket.gethostname()}"
    configure(settings, "gradeline-worker", worker=name)
    check.tell(settings)  # what is away now is waited for all the same
    Process(settings, name).run()


if __name__ == "__main__":
    main()
