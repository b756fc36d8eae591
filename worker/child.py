"""A child process of a worker: loads its engine after the fork, and grades."""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from celery import Celery
from threadpoolctl import threadpool_limits

from broker.dispatch import EVERYTHING, Dispatch, Dispatcher
from broker.pulse import Pulse
from broker.queues import consumed_by
from broker.settings import EMBEDDED_MODEL
from broker.traces import make_traces
from db.session import Database
from db.worker import Beat
from worker.beat import Heart
from worker.calibrating import Calibrating
from worker.errors import ModelUnavailable
from worker.grading import Grading
from worker.losses import Losses
from worker.marking import Marker
from worker.mending import Mender
from worker.settings import WorkerSettings
from worker.taught_heads import TaughtHeads

log = logging.getLogger(__name__)

CHILD = "child"  # whose signs of life: any child's


class Child:
    """What one child keeps between chunks."""

    def __init__(self, settings: WorkerSettings, app: Celery, name: str) -> None:
        began = time.perf_counter()
        queues = consumed_by(settings.own_model, settings.lane_device)
        database = Database(settings)
        Losses(database, settings, name).of_sibling()
        taught = TaughtHeads(database, settings.heads_mb * 2**20)
        marker = load_marker(settings, name, taught)
        # Heads are small: a second thread of the linear algebra library would only spin. Fitting takes more again.
        threadpool_limits(1, user_api="blas")
        self.settings, self.name, self.queues = settings, name, queues
        self.traces = make_traces(settings, "gradeline-worker")
        self.grading = Grading(database, marker, settings, name, self.traces)
        self.calibrating = Calibrating(database, marker, settings, name)
        dispatch = Dispatch(database, app, settings, self.traces)
        self.dispatcher = Dispatcher(dispatch)
        pulse = Pulse(settings.heartbeat_file, settings.live_s, CHILD)
        said = _introduction(settings, name, queues, marker)
        self.heart = Heart(said, self.grading, dispatch, self.calibrating, pulse)
        self.mender = Mender(
            lambda: load_marker(settings, name, taught),
            lambda: self.grading.marker,
            self.install,
            settings.engine_retry_s,
        )
        self.heart.start()
        self.mender.start()
        _look_at_memory(settings.child_memory_mb)
        log.info(
            "ready in %.2f s: %s", time.perf_counter() - began, marker.engine.name if marker.engine else marker.why
        )

    def grade(
        self, ids: Sequence[uuid.UUID], queue: str, losses: int | None = None, sent: str | None = None
    ) -> Future[int]:
        """One chunk; then more of its queue is sent, beside the next chunk's computing, so that the system clocks itself."""
        try:
            return self.grading.chunk(ids, queue, losses, sent)
        finally:
            self.dispatcher.wish(queue or EVERYTHING)

    def calibrate(self, calibration_id: uuid.UUID) -> None:
        """One step of a calibration; the next one is another message."""
        try:
            if self.calibrating.step(calibration_id):
                self.dispatcher.dispatch.calibration(calibration_id)
        finally:
            self.dispatcher.wish()

    def install(self, marker: Marker) -> None:
        """Puts a marker in the place of the one in use: from the next chunk on, it grades."""
        self.grading.marker = self.calibrating.marker = marker
        self.heart.said = _introduction(self.settings, self.name, self.queues, marker)

    def stop(self) -> None:
        self.mender.stop()
        self.grading.stop()
        self.dispatcher.stop()
        self.heart.stop()
        self.traces.stop()


def load_marker(settings: WorkerSettings, name: str, taught: TaughtHeads | None = None) -> Marker:
    """The engine with its head. Without the engine, the surface head grades and every result says so."""
    # After the fork: torch and onnxruntime stay out of the parent.
    from worker.engine import load_engine
    from worker.engine.source import EMBEDDED_REVISION
    from worker.head import load_surface
    from worker.head.choice import choose

    fallback = load_surface()
    try:
        engine = load_engine(settings)
    except ModelUnavailable as error:
        log.exception("the engine can't be loaded")
        return Marker(None, None, fallback, name, str(error))
    try:
        # The fake engine, asked for by name alone, borrows the default head: everything but the numbers is real.
        borrowed = (EMBEDDED_MODEL, EMBEDDED_REVISION) if settings.engine == "fake" else None
        heads = choose(engine, settings, borrowed)
        standing = heads.standing
        if borrowed and standing:
            # What a fake engine sees, it says under its own name: calibrations of it serve it alone.
            standing = replace(standing, model=engine.model, revision=engine.revision)
        return Marker(engine, heads.head, fallback, name, heads.why, standing, taught)
    except ModelUnavailable as error:
        log.error("%s", error)
        return Marker(engine, None, fallback, name, str(error))


def _look_at_memory(most_mb: int) -> None:
    """Celery ends a child after its chunk when its memory was higher than that at any time, this loading included."""
    used_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if most_mb and used_mb > most_mb:
        log.error(
            "loading the model took %d MB, and a child may have %d: it will be loaded again for every chunk; raise "
            "GRADELINE_CHILD_MEMORY_MB", used_mb, most_mb,
        )  # fmt: skip


def _introduction(settings: WorkerSettings, name: str, queues: list[str], marker: Marker) -> Beat:
    engine, head = marker.engine, marker.head or marker.fallback
    return Beat(
        name=name,
        pid=os.getpid(),
        host=socket.gethostname(),
        queues=queues,
        model=settings.own_model,
        revision=engine.revision if engine else "",
        engine=engine.name if engine else "surface",
        device=engine.device if engine else "cpu",
        window=engine.window if engine else 0,
        criteria=[] if engine and not marker.head else list(head.criteria),
        head=f"{head.name}@{head.version}",
        rss_bytes=0,
    )
