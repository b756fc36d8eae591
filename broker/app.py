"""The Celery app. Celery carries ids of jobs between processes; what is true of a job stands in the database."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Exchange, Queue

from broker.address import PREFIX, broker_of, transport_of
from broker.patient import Amqp
from broker.queues import consumed_by
from broker.settings import BrokerSettings

GRADE = "worker.grade"
CALIBRATE = "worker.calibrate"


def transport_options(settings: BrokerSettings) -> dict[str, Any]:
    return {
        # Longer than any chunk may run, or Redis would hand a running chunk to a second worker, which finds nothing to do.
        "visibility_timeout": settings.visibility_s,
        # Kombu's defaults look for messages of dead workers every 100 s.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # Lists are read in the order in which the worker names its queues: interactive first.
        "queue_order_strategy": "priority",
        "global_keyprefix": PREFIX,
        # A Redis that hangs, or a link that was cut, must not hang a request or a worker.
        **transport_of(settings),
    }


def make_app(settings: BrokerSettings) -> Celery:
    """A Celery app for one process. The settings decide where the broker is; nothing else is read from outside."""
    app = Celery("gradeline", amqp=Amqp)
    app.conf.update(
        **broker_of(settings),
        # JSON only: a message can't run code.
        task_serializer="json", accept_content=["json"], result_accept_content=["json"], event_serializer="json",
        # The database is the result.
        task_ignore_result=True,
        # A message goes when its chunk is written. A killed child's message goes too: its jobs are sent again, in smaller
        # chunks (worker/losses.py), and a message that kills every child that takes it must not come back for ever.
        task_acks_late=True, task_reject_on_worker_lost=False, task_acks_on_failure_or_timeout=True,
        # How long Celery waits for the result of a child that is dead; all that while it would give its successor nothing.
        worker_lost_wait=1.0,
        # No worker sits on messages that an idle one could take.
        worker_prefetch_multiplier=1, worker_disable_prefetch=True,
        # A hang costs one chunk. The soft limit lets the chunk hand its jobs back first. These hold for what brings no
        # limits of its own; chunks do (broker/chunks.py).
        task_time_limit=settings.time_limit_s, task_soft_time_limit=settings.time_limit_s - 5,
        # SIGTERM: finish the chunk, then stop. Celery's soft shutdown sleeps through its grace even when the chunk ends
        # sooner, and then did not end at all; the worker bounds a warm shutdown itself (worker/__main__.py).
        worker_soft_shutdown_timeout=0,
        # A child that exports its model for the first time takes a while before it reports for work.
        worker_proc_alive_timeout=900,
        # A broker that is away at the start, or goes, is waited for.
        broker_connection_retry_on_startup=True, broker_connection_max_retries=None, broker_connection_timeout=2,
        # A chunk that computes while Redis restarts is worth finishing: its rows are still ours.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Flower shows tasks from these events; they carry ids, never text. When a task was sent, the row says.
        worker_send_task_events=settings.task_events, task_send_sent_event=False, event_queue_expires=60, event_queue_ttl=60,
        # Our logs are ours: JSON or text on standard error, set up by the process.
        worker_hijack_root_logger=False, worker_redirect_stdouts=False,
        # Queues are named by who sends and who consumes; a misspelt one is an error.
        task_create_missing_queues=True, task_default_queue="gradeline",
        # Publishing is tried once: the row is safe, and the sweep sends it again.
        task_publish_retry=False,
        # Plain broadcast commands are enough for Flower; gossip and mingle only add messages.
        control_queue_expires=60, timezone="UTC", enable_utc=True,
        broker_transport_options=transport_options(settings),
    )  # fmt: skip
    return app


def listen(app: Celery, settings: BrokerSettings, device: str) -> None:
    """Makes a worker of a device (cpu or gpu) consume its queues, interactive first."""
    app.conf.task_queues = [queue_of(name) for name in consumed_by(settings.own_model, device)]


def queue_of(name: str) -> Queue:
    """A queue of the broker, in the one form in which it is sent to and consumed."""
    return Queue(name, Exchange(name), routing_key=name)


def __getattr__(name: str) -> Celery:
    # `celery -A broker.app flower` asks for `app`; making it on demand keeps this import free of settings.
    if name == "app":
        return make_app(BrokerSettings())
    raise AttributeError(name)
