"""Routes of batches: many texts at once, and what has become of them."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from api.auth import allow
from api.batch_bodies import (
    STREAMED,
    BatchBody,
    BatchPage,
    BatchPath,
    BatchQuery,
    BatchSettings,
    NewBatchBody,
    SubmittedBatch,
)
from api.errors import InvalidRequest, UnsupportedMediaType
from api.idempotency import Once
from api.jobs import job_rubric
from api.problems import Problem
from api.requests import origin
from api.routing import KEY, SUBMIT_WRONG, WRONG, answer, offered_model, read_id, services
from api.rubric_bodies import InlineRubric
from api.views import batch_body
from broker.queues import queue_name
from db import batches
from db.bulk import Manner, Rows
from db.errors import BatchNotFound
from db.rubric import Rubric

routes = APIBlueprint("batches", __name__, url_prefix="/v1/batches", abp_tags=[Tag(name="Batches")], abp_security=KEY)


@routes.post("", responses={202: SubmittedBatch, **SUBMIT_WRONG})
def submit_batch(body: NewBatchBody) -> Response:
    """Submit many texts at once

    Up to 10,000 items and 64 MiB. Rows that can't be graded don't sink the rest: `rejected` names them by their number,
    counted from 1, each with its problem. Batches run as bulk, behind single jobs.

    As `application/json`; as `application/x-ndjson`, an item a line; as `text/csv` with the columns `text`, `external_id` and
    `prompt` (others become metadata); or as `multipart/form-data` with the settings beside one `file`: such a .csv, .ndjson or
    .jsonl, or a .zip of .txt, .md, .docx and .pdf files. The name of a file of a .zip is its `external_id`.
    The settings may stand in the query string; those in a body come first.

    With `"baseline": "auto"` and 20 texts or more, a calibration is first made from the batch's own texts, ungraded as
    they are; it is activated and grades them. If it can't be made, they are graded without, and `baseline` says why.

    With an `Idempotency-Key` it can be sent again: the same request answers with the same batch.
    """
    raise AssertionError(f"a body of {type(body).__name__} is read before it comes here, by api/batch_streams.py")


def hand_in(
    body: BatchSettings, good: Rows, rejected: list[dict[str, Any]], fingerprint: bytes,
    unread: bool = False,
) -> Response:  # fmt: skip
    """Stores the good rows and answers with their batch. `unread` rows are files; `fingerprint` as in `Once`."""
    caller = allow("submit")
    manner, once = _manner(body), Once(caller.tenant_id, fingerprint)
    with services().database.session() as session:
        if made := once.find_made(session):
            view = batches.find_batch(session, caller.tenant_id, made)
        else:
            services().intake.admit(session, caller.tenant_id, len(good))
            rubric = _rubric(session, caller.tenant_id, body)
            baseline_queue = queue_name(manner.model, "any", "bulk")
            view = batches.submit(
                session, caller.tenant_id, rubric, manner, good, body.metadata, body.baseline, baseline_queue, unread,
                body.callback_url,
            )  # fmt: skip
            once.keep(session, view.batch.id)
    bind_contextvars(batch=view.batch.id)
    services().dispatcher.wish()  # after the commit; of everything: a calibration waits in no queue of jobs
    response = answer({**batch_body(view), "rejected": rejected}, 202)
    response.headers["Location"] = f"/v1/batches/{view.batch.id}"
    response.headers["Retry-After"] = "2"
    return once.mark(response)


@routes.get("", responses={200: BatchPage, **WRONG})
def list_of_batches(query: BatchQuery) -> Response:
    """List batches, newest first; regrades are batches too"""
    caller = allow("read")
    with services().database.session() as session:
        views, following = batches.list_batches(session, caller.tenant_id, query.limit, query.cursor)
        return answer({"items": [batch_body(view) for view in views], "next": following})


@routes.get("/<batch_id>", responses={200: BatchBody, **WRONG})
def get_batch(path: BatchPath) -> Response:
    """Read a batch: how many of its jobs are in each state, and when the last one will have ended"""
    caller = allow("read")
    with services().database.session() as session:
        return answer(batch_body(batches.find_batch(session, caller.tenant_id, _id(path))))


@routes.post("/<batch_id>/cancel", responses={200: BatchBody, 409: Problem, **WRONG})
def cancel_batch(path: BatchPath) -> Response:
    """Cancel the jobs of a batch that wait or run; what is graded stays"""
    caller, batch_id = allow("submit"), _id(path)
    with services().database.session() as session:
        batches.cancel(session, caller.tenant_id, batch_id)
        return answer(batch_body(batches.find_batch(session, caller.tenant_id, batch_id)))


def _id(path: BatchPath) -> uuid.UUID:
    return read_id(path.batch_id, BatchNotFound("there is no batch with this id"))


def _manner(body: BatchSettings) -> Manner:
    model = offered_model(body.model)
    queue = queue_name(model, body.device, "bulk")
    return Manner(model, queue, body.device, body.allow_degraded, body.explain, origin())


def _rubric(session: Session, tenant_id: uuid.UUID, body: BatchSettings) -> Rubric:
    rubric = job_rubric(session, tenant_id, body.rubric)
    # A baseline stays, and grades all that comes later: its owner must be able to name it and to switch it off.
    if body.baseline == "auto" and (rubric.tenant_id is None or isinstance(body.rubric, InlineRubric)):
        which = "comes inside a batch has no name" if rubric.tenant_id else "comes along is shared by all"
        message = f"a rubric that {which}, so it can't have a baseline: make one of your own with POST /v1/rubrics and name it"
        raise InvalidRequest(f"{message[0].upper()}{message[1:]}.", [{"loc": ["baseline"], "msg": message}])
    return rubric


def is_hand_in() -> bool:
    """Whether the request brings a batch; OPTIONS at the same address brings nothing."""
    return request.method == "POST" and request.endpoint == f"{routes.name}.submit_batch"


@routes.before_request
def _look_at_the_body() -> None:
    """Before api/batch_streams.py reads it: may it come, and is it of a kind that is read? A class is longer than a job."""
    if is_hand_in():
        allow("submit")
        request.max_content_length = services().settings.max_upload_bytes
        if not request.is_json and request.mimetype not in STREAMED:
            raise UnsupportedMediaType(f"Send the body as {', '.join(('application/json', *STREAMED))}.")
