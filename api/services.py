"""What the routes work with, made once a process and found in the app's extensions."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from api.auth import Keys
from api.intake import Intake
from api.limits import Limits
from api.settings import ApiSettings
from api.streams import Streams
from api.wakeup import Wakeup
from broker.dispatch import Dispatcher
from broker.traces import Traces
from db.session import Database


@dataclass(frozen=True)
class Services:
    """Everything behind the routes."""

    settings: ApiSettings
    database: Database
    celery: Celery
    dispatcher: Dispatcher
    keys: Keys
    wakeup: Wakeup
    intake: Intake
    limits: Limits
    streams: Streams
    traces: Traces
