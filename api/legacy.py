"""The routes of the service that this one replaces, with its bodies and its error strings, and real scores.

A text goes the way of every job. Errors of this API become the old form here, in one place: clients of the old service
read `error` and `status`, not problems.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from flask import Response, json, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field
from structlog.contextvars import bind_contextvars
from werkzeug.exceptions import BadRequest

from api.errors import Malformed
from api.fields import NotBlank, clean
from api.jobs import await_end
from api.legacy_callers import old_caller
from api.legacy_texts import rubric_info
from api.problems import problem
from api.requests import origin
from api.routing import answer, offered_model, services
from api.running import broker_answers, live
from broker.queues import queue_name
from db import jobs
from db.errors import DatabaseAway
from db.finding import JobView, find_job, find_open
from db.job import FINAL
from db.rubric import default_rubric
from db.submission import fingerprint_of
from db.work import NewJob

MOST = 10_000
AGAIN_S = 5
# When it came to be deprecated (RFC 9745): 2026-01-01. It has no end yet: that would be a `Sunset` header.
DEPRECATED = "@1767225600"
Level = Literal["Excellent", "Good", "Fair", "Poor"]


class OldScores(BaseModel):
    """A level for each criterion of the default rubric."""

    Structure: Level
    Clarity: Level
    Relevance: Level
    Academic_Writing: Level


class OldSubmission(BaseModel):
    """What the old clients send."""

    student_submission: Annotated[str, NotBlank, Field(min_length=1, max_length=MOST)]


class OldError(BaseModel):
    error: str
    status: Literal["error"]


class OldHealth(BaseModel):
    status: Literal["healthy", "unhealthy"]
    service: str
    version: str


class OldInfo(BaseModel):
    status: Literal["success"]
    rubric_categories: dict[str, list[str]]
    rubric_criteria: dict[str, dict[str, str]]


routes = APIBlueprint("legacy", __name__, abp_tags=[Tag(name="The service before this one")])
# Read by hand, so that errors are the old ones: `api.document` shows it.
BODIES: dict[str, type[BaseModel]] = {"/llm/rubric-score": OldSubmission}
WRONG: dict[str | int, Any] = dict.fromkeys((400, 401, 403, 429, 500, 503), OldError)


@routes.post("/llm/rubric-score", responses={200: OldScores, **WRONG})
def rubric_score() -> Response:
    """Score a text on the default rubric, in levels (deprecated: use `POST /v1/jobs`)

    Poor below 40 points of 100, Fair from 40, Good from 60, Excellent from 80. Waits up to 30 seconds; 503 with
    `Retry-After` when it takes longer: the same text again is then the same job.
    """
    tenant_id = old_caller()
    text = _text()
    view = await_end(tenant_id, _submit(tenant_id, text), services().settings.wait_max_s)
    response = _scores(view)
    response.headers["Location"] = f"/v1/jobs/{view.job.id}"
    return response


@routes.get("/health", responses={200: OldHealth, 503: OldHealth})
def old_health() -> Response:
    """Can a text be scored now? Database, broker and a worker are there"""
    try:
        good = bool(live()) and broker_answers()
    except DatabaseAway:
        good = False
    body = {"status": "healthy" if good else "unhealthy", "service": "LLM Rubric Scoring API", "version": "1.0.0"}
    response = answer(body, 200 if good else 503)
    if not good:
        response.headers["Retry-After"] = str(AGAIN_S)
    return response


@routes.get("/rubric-info", responses={200: OldInfo})
def old_rubric_info() -> Response:
    """The default rubric's criteria and levels"""
    return answer(rubric_info())


def _text() -> str:
    """The text, or Malformed with the old service's sentence; checks come in its order."""
    try:
        # Only what says that it is JSON: a web page could send anything else to a loopback address without asking.
        body = request.get_json() if request.is_json else None
    except (BadRequest, RecursionError):
        body = None
    if not body:
        raise Malformed("No JSON data provided")
    text = body.get("student_submission") if isinstance(body, dict) else None
    if not text and not isinstance(text, bool | int | float):
        raise Malformed("Student submission text is required")
    if not isinstance(text, str):
        raise Malformed("Student submission must be a string")
    if not text.strip():
        raise Malformed("Student submission cannot be empty")
    if len(text) > MOST:
        raise Malformed("Student submission is too long (max 10KB)")
    try:
        return clean(text)
    except ValueError as error:
        raise Malformed(f"Student submission is not valid text: {error}") from error


def _submit(tenant_id: uuid.UUID, text: str) -> JobView:
    """The text's job; one that waits already is not made twice, because clients that were told 503 send again."""
    model = offered_model(None)
    new = NewJob(
        text=text, model=model, device="any", priority="interactive", queue=queue_name(model, "any", "interactive"),
        origin=origin(),
    )  # fmt: skip
    with services().database.session() as session:
        rubric = default_rubric(session)
        if known := find_open(session, tenant_id, rubric.id, fingerprint_of(text)):
            return find_job(session, tenant_id, known)
        services().intake.admit(session, tenant_id, 1)
        view = JobView(jobs.submit(session, tenant_id, rubric, new), rubric, None, None)
    bind_contextvars(job=view.job.id)
    services().dispatcher.wish(new.queue)
    return view


def _scores(view: JobView) -> Response:
    if view.job.state == "succeeded" and view.result:
        return answer({score["criterion"]: score["level"] for score in view.result.scores})
    if view.job.state in FINAL:
        return answer({"error": "Internal server error during evaluation", "status": "error"}, 500)
    return problem("overloaded", "The evaluation takes longer than usual; send the text again", retry_after=AGAIN_S)


@routes.after_request
def _in_the_old_form(response: Response) -> Response:
    if response.mimetype == "application/problem+json":
        found = json.loads(response.get_data())
        text = found["detail"]
        if response.status_code == 413:
            response.status_code, text = 400, "Student submission is too long (max 10KB)"
        response.set_data(json.dumps({"error": text, "status": "error"}))
        response.mimetype = "application/json"
    response.headers["Deprecation"] = DEPRECATED
    response.headers["Link"] = '</docs>; rel="deprecation", </v1/jobs>; rel="successor-version"'
    return response
