"""Routes of the running system: models, workers, queues, health."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from api.auth import allow
from api.routing import KEY, WRONG, answer, services
from api.schemas import Health, ModelList, QueueList, Ready, WorkerList
from api.views import model_bodies, worker_bodies
from broker.queues import DEVICES, LANES, queue_name
from db.errors import DatabaseAway
from db.queues import queue_figures
from db.worker import Worker, live_by_queue, live_workers

routes = APIBlueprint("running", __name__, abp_tags=[Tag(name="The running system")])


@routes.get("/v1/models", responses={200: ModelList, **WRONG}, security=KEY)
def list_models() -> Response:
    """Models that live workers hold"""
    allow("read")
    return answer({"items": model_bodies(live())})


@routes.get("/v1/workers", responses={200: WorkerList, **WRONG}, security=KEY)
def list_workers() -> Response:
    """Workers that are alive"""
    allow("read")
    return answer({"items": worker_bodies(live())})


@routes.get("/v1/queues", responses={200: QueueList, **WRONG}, security=KEY)
def list_queues() -> Response:
    """What of yours waits and runs, how fast it moves, and how many workers could take it"""
    caller = allow("read")
    settings = services().settings
    with services().database.session() as session:
        figures = {f.queue: f for f in queue_figures(session, caller.tenant_id)}
        workers = live_by_queue(session, settings.live_s)
    names = {queue_name(m, d, lane) for m in settings.offered for d in DEVICES for lane in LANES} | figures.keys()
    items = []
    for name in sorted(names):
        f, live_here = figures.get(name), workers.get(name)
        items.append(
            {
                "queue": name,
                "waiting": f.waiting if f else 0,
                "held": f.held if f else 0,
                "running": f.running if f else 0,
                "oldest_seconds": round(f.oldest_s, 3) if f else 0.0,
                "rate_per_second": round(f.rate, 3) if f else 0.0,
                "eta_seconds": f.eta_s if f else 0.0,
                "workers": live_here.children if live_here else 0,
            }
        )
    return answer({"items": items})


@routes.get("/healthz", responses={200: Health})
def health() -> Response:
    """Is this process up?"""
    return answer({"status": "ok"})


@routes.get("/readyz", responses={200: Ready, 503: Ready})
def ready() -> Response:
    """Can work be taken and sent? Without workers it can still be taken: they are counted, not required."""
    try:
        workers, database = len({w.name for w in live()}), True
    except DatabaseAway:
        workers, database = 0, False
    broker = broker_answers()
    good = database and broker
    response = answer({"ready": good, "database": database, "broker": broker, "workers": workers}, 200 if good else 503)
    if not good:
        response.headers["Retry-After"] = "2"
    return response


def live() -> list[Worker]:
    """Worker children that are alive. DatabaseAway."""
    with services().database.session() as session:
        return list(live_workers(session, services().settings.live_s))


def broker_answers() -> bool:
    """Whether work could be sent now."""
    try:
        with services().celery.connection_for_write() as connection:
            connection.default_channel.client.ping()
    except (OperationalError, RedisError, OSError):
        return False
    return True
