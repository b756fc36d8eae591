"""Routes of jobs: submit, poll, wait, list, cancel, retry, erase."""

from __future__ import annotations

import re
import uuid
from http import HTTPStatus

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from sqlalchemy.orm import Session
from structlog.contextvars import bind_contextvars

from api.auth import allow
from api.errors import InvalidRequest, PreconditionFailed
from api.idempotency import Once
from api.problems import Problem
from api.requests import look_at_bodies, origin
from api.routing import KEY, SUBMIT_WRONG, WRONG, answer, offered_model, read_id, services, tagged
from api.rubric_bodies import InlineRubric
from api.schemas import JobBody, JobPage, JobPath, JobSettings, ListQuery, NewJobBody, RetriedBody, RetryBody
from api.views import job_body
from broker.queues import queue_name
from db import activation, jobs
from db.erasing import erase
from db.errors import DatabaseAway
from db.finding import Filters, JobView, find_job, list_jobs
from db.job import FINAL
from db.rubric import MEASURES, Rubric, find_rubric, inline_rubric, unmeasured
from db.upload import NewFile
from db.work import NewJob

routes = APIBlueprint("jobs", __name__, url_prefix="/v1/jobs", abp_tags=[Tag(name="Jobs")], abp_security=KEY)
look_at_bodies(routes, {"submit_job": "submit", "retry_failed_jobs": "submit"}, forms=["submit_job"])


@routes.post("", responses={202: JobBody, 200: JobBody, **SUBMIT_WRONG})
def submit_job(body: NewJobBody) -> Response:
    """Submit a text, or a file

    As `application/json`, or as `multipart/form-data` with a .txt, .md, .docx or .pdf file in `file` and the other fields
    beside it. A worker reads the file; one that it can't read fails with `unscorable`, and the detail says what to do.
    Answers 202 with the job once it is stored: from then on it is not lost. With `Prefer: wait=N` it answers 200 with
    the finished job if that takes at most N seconds. With an `Idempotency-Key` it can be sent again: the same request
    answers with the same job.
    """
    return hand_in(body, new_job(body))


def hand_in(body: JobSettings, new: NewJob, fingerprint: bytes | None = None) -> Response:
    """Stores a job and answers with it. `fingerprint` as in `Once`."""
    caller = allow("submit")
    once, database = Once(caller.tenant_id, fingerprint), services().database
    # A key, a file and a rubric that comes along are written too, and then all or nothing.
    more = once.keyed or new.file is not None or isinstance(body.rubric, InlineRubric)
    with database.session() if more else database.statement() as session:
        if made := once.find_made(session):
            view = find_job(session, caller.tenant_id, made)
        else:
            services().intake.admit(session, caller.tenant_id, 1)
            rubric = job_rubric(session, caller.tenant_id, body.rubric)
            view = JobView(jobs.submit(session, caller.tenant_id, rubric, new), rubric, None, None)
            once.keep(session, view.job.id)
    bind_contextvars(job=view.job.id)
    services().dispatcher.wish(new.queue)  # after the commit: a worker must find the row
    response = _after_waiting(caller.tenant_id, view, 202)
    response.headers["Location"] = f"/v1/jobs/{view.job.id}"
    return once.mark(response)


@routes.get("", responses={200: JobPage, **WRONG})
def list_of_jobs(query: ListQuery) -> Response:
    """List jobs, newest first"""
    caller = allow("read")
    batch = uuid.UUID(query.batch) if query.batch else None
    filters = Filters(query.state, batch, query.external_id, query.rubric, query.code)
    with services().database.session() as session:
        views, following = list_jobs(session, caller.tenant_id, filters, query.limit, query.cursor)
        return answer({"items": [job_body(view) for view in views], "next": following})


@routes.get("/<job_id>", responses={200: JobBody, 304: None, **WRONG})
def get_job(path: JobPath) -> Response:
    """Read a job

    `Prefer: wait=N` waits up to N seconds for its end. `If-None-Match` with the last `ETag` answers 304 if nothing moved.
    """
    caller = allow("read")
    return _after_waiting(caller.tenant_id, read_job(caller.tenant_id, read_id(path.job_id)), 200)


@routes.post("/<job_id>/cancel", responses={200: JobBody, 409: Problem, **WRONG})
def cancel_job(path: JobPath) -> Response:
    """Cancel a job that waits or runs"""
    caller, job_id = allow("submit"), read_id(path.job_id)
    with services().database.session() as session:
        jobs.cancel(session, caller.tenant_id, job_id)
        return answer(job_body(find_job(session, caller.tenant_id, job_id)))


@routes.post("/<job_id>/retry", responses={202: JobBody, 409: Problem, **WRONG})
def retry_job(path: JobPath) -> Response:
    """Queue a failed or cancelled job again"""
    caller, job_id = allow("submit"), read_id(path.job_id)
    with services().database.session() as session:
        services().intake.admit(session, caller.tenant_id, 1)
        queue = jobs.retry(session, caller.tenant_id, job_id)
        view = find_job(session, caller.tenant_id, job_id)
    services().dispatcher.wish(queue)
    return answer(job_body(view), 202)


@routes.post("/retry", responses={202: RetriedBody, 400: Problem, 413: Problem, 415: Problem, **WRONG})
def retry_failed_jobs(body: RetryBody) -> Response:
    """Queue failed jobs again: all, or those that fit, up to `limit`

    `GET /v1/jobs?state=failed` lists them with the reason of each. Jobs whose text was erased stay as they are. When more
    would wait than may, none is queued: 429 or 503, as for hand-ins.
    """
    caller = allow("submit")
    which = (body.limit, uuid.UUID(body.batch) if body.batch else None, body.code, body.rubric)
    with services().database.session() as session:
        services().intake.admit(session, caller.tenant_id, jobs.count_failed(session, caller.tenant_id, *which))
        queues = jobs.retry_failed(session, caller.tenant_id, *which)
    for queue in queues:
        services().dispatcher.wish(queue)
    return answer({"retried": sum(queues.values())}, 202)


@routes.delete("/<job_id>", responses={204: None, **WRONG})
def erase_job(path: JobPath) -> Response:
    """Erase text, embedding and scores; the id and the times stay"""
    caller = allow("submit")
    with services().database.session() as session:
        erase(session, caller.tenant_id, read_id(path.job_id), str(caller.key_id))
    return Response(status=204)


def job_rubric(session: Session, tenant_id: uuid.UUID, wanted: str | InlineRubric) -> Rubric:
    """The rubric of a job, which something can score: a head that comes along, or the rubric's active calibration."""
    if isinstance(wanted, InlineRubric):
        rubric = inline_rubric(session, tenant_id, wanted.prompt, wanted.stored())
    else:
        rubric = find_rubric(session, tenant_id, wanted)
    return scored(session, rubric)


def scored(session: Session, rubric: Rubric) -> Rubric:
    """The rubric, if something scores all of it now; InvalidRequest says what nothing scores."""
    missing = unmeasured(rubric.criteria)
    if missing and activation.active_calibration(session, rubric.id) is None:
        message = (
            f"nothing scores {', '.join(missing)}: calibrate the rubric with graded examples and activate that, or let "
            f"each measure one of {', '.join(MEASURES)}"
        )
        raise InvalidRequest(
            f"{message[0].upper()}{message[1:]}.", [{"loc": ["rubric", c], "msg": message} for c in missing]
        )
    return rubric


def new_job(body: JobSettings, file: NewFile | None = None) -> NewJob:
    """The job of a body, or of a file and what came with it. InvalidRequest for a model that is not offered."""
    model = offered_model(body.model)
    fields = {"text": "", **body.model_dump(exclude={"rubric", "model"})}
    return NewJob(
        model=model, queue=queue_name(model, body.device, body.priority), file=file, origin=origin(), **fields
    )


def _after_waiting(tenant_id: uuid.UUID, view: JobView, otherwise: int) -> Response:
    """The job, after as long as the caller prefers to wait for its end. `view` is what is known of it now."""
    wish = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})", request.headers.get("Prefer", ""))
    seconds = min(float(wish.group(1)), services().settings.wait_max_s) if wish else 0.0
    if wish:
        view = await_end(tenant_id, view, seconds)
    done = view.job.state in FINAL
    response = tagged(job_body(view), 200 if done and wish else otherwise)
    if wish:
        response.headers["Preference-Applied"] = f"wait={int(seconds)}"  # RFC 7240: whole seconds
    if not done:
        response.headers["Retry-After"] = "1"
    if request.method != "POST":
        response.make_conditional(request)
        if response.status_code == HTTPStatus.PRECONDITION_FAILED:
            raise PreconditionFailed("The job is not the one that If-Match names.")
    return response


def await_end(tenant_id: uuid.UUID, view: JobView, seconds: float) -> JobView:
    """The job when it has ended, or what is known of it after so many seconds."""
    job_id = view.job.id

    def finished() -> bool:
        nonlocal view
        try:
            view = read_job(tenant_id, job_id)
        except DatabaseAway:
            return False  # the job is stored, and known: that is an answer
        return view.job.state in FINAL

    services().wakeup.wait_for(str(job_id), finished, seconds)
    return view


def read_job(tenant_id: uuid.UUID, job_id: uuid.UUID) -> JobView:
    with services().database.statement() as session:
        return find_job(session, tenant_id, job_id)
