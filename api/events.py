"""Routes of event streams: what becomes of a job or a batch, as it happens."""

from __future__ import annotations

import socket

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from api.auth import allow
from api.batch_bodies import BatchPath
from api.errors import Overloaded
from api.handing_over import SOCKET, hand_over
from api.routing import KEY, WRONG, read_id, services
from api.schemas import JobPath
from api.streams import Subject, event_of
from db.batches import BatchView, find_batch
from db.errors import BatchNotFound
from db.finding import JobView, find_job

routes = APIBlueprint("events", __name__, url_prefix="/v1", abp_tags=[Tag(name="Events")], abp_security=KEY)
STREAM = {
    "description": "Server-Sent Events. Each one's data is the object as `GET` shows it; the last one's state is final.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
SEEN = {"description": "The event of `Last-Event-ID` was the last one: there is nothing more to come."}
AGAIN_S = 5


@routes.get("/jobs/<job_id>/events", responses={200: STREAM, 204: SEEN, **WRONG})
def follow_job(path: JobPath) -> Response:
    """Follow a job to its end

    The first event is the job as it is, unless `Last-Event-ID` says that you have it; then one for each change.
    """
    caller, job_id = allow("read"), read_id(path.job_id)
    with services().database.statement() as session:
        view = find_job(session, caller.tenant_id, job_id)
    return _stream(Subject("job", caller.tenant_id, job_id), view)


@routes.get("/batches/<batch_id>/events", responses={200: STREAM, 204: SEEN, **WRONG})
def follow_batch(path: BatchPath) -> Response:
    """Follow a batch to its end

    As for a job; its counts are told at most twice a second.
    """
    missing = BatchNotFound("there is no batch with this id")
    caller, batch_id = allow("read"), read_id(path.batch_id, missing)
    with services().database.session() as session:
        view = find_batch(session, caller.tenant_id, batch_id)
    return _stream(Subject("batch", caller.tenant_id, batch_id), view)


def _stream(subject: Subject, view: JobView | BatchView) -> Response:
    event, seen, streams = event_of(view), request.headers.get("Last-Event-ID", ""), services().streams
    if event.final and event.id == seen:
        return Response(status=204)  # so that a browser does not ask again
    if streams.full:
        raise Overloaded("This server holds as many event streams as it may.", retry_after=AGAIN_S)
    response = Response(event.message, mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep events until it has a page of them
    connection = request.environ.get(SOCKET)
    if request.method != "GET" or not isinstance(connection, socket.socket):
        return response  # a server that can't hand over ends the stream after its first event; clients ask again
    return hand_over(response, connection, lambda sock, head: streams.adopt(sock, head, subject, event, seen))
