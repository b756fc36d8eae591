"""How processes that Celery runs log: as all others do (`db/logs.py`)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from billiard.util import get_logger
from celery import signals
from celery.apps import worker as program
from celery.exceptions import SecurityWarning, SoftTimeLimitExceeded
from sqlalchemy import RowMapping

from broker.settings import BrokerSettings
from broker.traces import trace_id
from db import logs
from db.tracebacks import in_words

log = logging.getLogger(__name__)


def configure(settings: BrokerSettings, service: str, **always: object) -> None:
    """As in `db/logs.py`, and Celery leaves it as it is, and prints nothing beside it."""
    logs.configure(settings, service, **always)
    signals.setup_logging.connect(_leave_it, weak=False)
    signals.worker_shutting_down.connect(_stopping, weak=False)
    program.safe_say = lambda *_, **__: None  # that it stops, in a form of its own
    warnings.simplefilter("ignore", SecurityWarning)  # of root, who could run code through pickle: we accept JSON alone


def _leave_it(**_: Any) -> None:
    """Celery sets up logging where nobody answers this signal. What its pool says of children that died goes our way."""
    pool = get_logger()
    pool.propagate = True
    pool.setLevel(logging.WARNING)  # below, it tells of every mmap


def _stopping(how: str, **_: Any) -> None:
    log.info("stopping: %s shutdown", how.lower())


@contextmanager
def discreetly() -> Iterator[None]:
    """Around what a task does: its exceptions are logged here, and go on to Celery without their messages.

    Celery logs them, hands them from child to parent, and sends them to Flower through Redis; and they may quote a text.
    """
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        log.exception("a task broke off")
        raise RuntimeError(in_words(error)) from None


def tell_of_back(rows: Sequence[RowMapping], code: str) -> None:
    """A line for each job that came back to its queue, or was given up; the rows as `jobs.hand_back` returns them."""
    for row in rows:
        given_up = row["state"] == "failed"
        log.warning(
            "given up" if given_up else "back in its queue",
            extra={
                "code": code, "request_id": row["request_id"], "trace_id": trace_id(row["traceparent"]), "job": row["id"],
                "batch": row["batch_id"], "attempt": row["attempt"], "of_worker": row["worker"],
            },
        )  # fmt: skip
