"""Routes of people: review, appeal, the queue, and who has what in hand."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from sqlalchemy.orm import Session

from api.auth import allow
from api.errors import InvalidRequest, PreconditionFailed
from api.problems import Problem
from api.requests import look_at_bodies
from api.review_bodies import (
    ChangeList,
    LeaseBody,
    LeasedJob,
    LeaseRef,
    NewAppealBody,
    NewReviewBody,
    QueueQuery,
    WantedBody,
)
from api.routing import KEY, WRONG, answer, read_id, services, tagged
from api.schemas import JobBody, JobPage, JobPath
from api.views import job_body
from db import reviews
from db.finding import JobView, find_job
from db.review import Review
from db.reviews import Decision, Lease
from db.rubric import find_rubric, find_versions

routes = APIBlueprint("reviews", __name__, url_prefix="/v1", abp_tags=[Tag(name="People")], abp_security=KEY)
REVIEWING = ("review_job", "lease_next", "renew_lease", "release_lease")
look_at_bodies(routes, {**dict.fromkeys(REVIEWING, "review"), "appeal_job": "submit"})
CHANGED: dict[str | int, Any] = {400: Problem, 409: Problem, 415: Problem, **WRONG}
LEASE_S = 30 * 60.0
MOST_CHANGES = 1000


@routes.put("/jobs/<job_id>/review", responses={200: JobBody, 412: Problem, **CHANGED})
def review_job(path: JobPath, body: NewReviewBody) -> Response:
    """Review a job: put a person's points beside the machine's (scope review)

    With `If-Match` and the `ETag` of the job as it was read, 412 says that somebody else was first. Every change is kept.
    """
    caller = allow("review")
    decision = Decision(str(caller.key_id), body.scores, body.comment, body.reviewer)
    with services().database.session() as session:
        view = reviews.lock(session, caller.tenant_id, read_id(path.job_id))
        _still_as_read(view)
        _on_the_scales(view, body)
        reviews.review(session, view, decision)
        return _shown(view)


@routes.post("/jobs/<job_id>/appeal", responses={200: JobBody, **CHANGED})
def appeal_job(path: JobPath, body: NewAppealBody) -> Response:
    """Put a job at the head of the queue of reviews, also one that was reviewed (scope submit)

    Until somebody reviews it, the job has the reason in `appeal`.
    """
    caller = allow("submit")
    with services().database.session() as session:
        view = reviews.lock(session, caller.tenant_id, read_id(path.job_id))
        return _shown(reviews.appeal(session, view, str(caller.key_id), body.reason))


@routes.get("/jobs/<job_id>/reviews", responses={200: ChangeList, **WRONG})
def job_reviews(path: JobPath) -> Response:
    """Every review and appeal of a job, newest first"""
    caller = allow("read")
    with services().database.session() as session:
        found = reviews.changes(session, caller.tenant_id, read_id(path.job_id), MOST_CHANGES)
        return answer({"items": [_change(each) for each in found]})


@routes.get("/reviews/queue", responses={200: JobPage, **WRONG})
def review_queue(query: QueueQuery) -> Response:
    """Jobs that nobody has reviewed, those first that most need a person

    Appeals, then results by the surface head alone, then those with advisories; among equals the widest interval first. Jobs
    that somebody has in hand are left out. Of a text that was graded again there is its newest job, unless a person has
    reviewed it before.
    """
    caller = allow("read")
    with services().database.session() as session:
        rubrics = _rubrics(session, caller.tenant_id, query.rubric)
        views, following = reviews.queue(session, caller.tenant_id, rubrics, query.limit, query.cursor)
        return answer({"items": [job_body(view) for view in views], "next": following})


@routes.post("/reviews/lease", responses={200: LeasedJob, **CHANGED})
def lease_next(body: WantedBody) -> Response:
    """Take the next job of the queue in hand, for 30 minutes (scope review)

    Nobody else is handed it meanwhile. A review ends the lease. `{}` takes any; null when nothing waits.
    """
    caller = allow("review")
    with services().database.session() as session:
        rubrics = _rubrics(session, caller.tenant_id, body.rubric)
        found = reviews.lease(session, caller.tenant_id, rubrics, LEASE_S)
        job = job_body(find_job(session, caller.tenant_id, found.job_id)) if found else None
        return answer({"lease": _lease(found) if found else None, "job": job})


@routes.post("/reviews/lease/<job_id>/renew", responses={200: LeaseBody, **CHANGED})
def renew_lease(path: JobPath, body: LeaseRef) -> Response:
    """Keep a job in hand for 30 minutes from now; 409 when the lease has ended (scope review)"""
    return _keep(path, body, LEASE_S)


@routes.post("/reviews/lease/<job_id>/release", responses={200: LeaseBody, **CHANGED})
def release_lease(path: JobPath, body: LeaseRef) -> Response:
    """Give a job back to the queue unreviewed (scope review)"""
    return _keep(path, body, 0)


def _keep(path: JobPath, body: LeaseRef, seconds: float) -> Response:
    caller = allow("review")
    with services().database.session() as session:
        job_id = read_id(path.job_id)
        return answer(_lease(reviews.keep(session, caller.tenant_id, job_id, uuid.UUID(body.lease), seconds)))


def _shown(view: JobView) -> Response:
    return tagged(job_body(view))


def _still_as_read(view: JobView) -> None:
    """PreconditionFailed when the job is no longer the one that the caller has read."""
    wanted = request.if_match
    if "If-Match" in request.headers and not wanted.star_tag:
        tag, _ = _shown(view).get_etag()
        # Weak ones count: a packed answer's is weak, and says of the same job.
        if tag is None or not wanted.contains_weak(tag):
            raise PreconditionFailed("The job has changed since it was read: read it again.")


def _on_the_scales(view: JobView, body: NewReviewBody) -> None:
    scales = {c["name"]: c for c in view.rubric.criteria}
    wrong = []
    for name, points in body.scores.items():
        scale = scales.get(name)
        if scale is None:
            wrong.append({"loc": ["scores", name], "msg": f"the rubric has {', '.join(scales)}"})
        elif not scale["min"] <= points <= scale["max"]:
            said = f"{points:g} is not on the scale {scale['min']:g} to {scale['max']:g}"
            wrong.append({"loc": ["scores", name], "msg": said})
    if wrong:
        raise InvalidRequest(f"scores.{wrong[0]['loc'][1]}: {wrong[0]['msg']}", wrong)


def _rubrics(session: Session, tenant_id: uuid.UUID, reference: str | None) -> list[uuid.UUID] | None:
    """Which rubrics are meant, as in the list of jobs: a name means all its versions. RubricNotFound."""
    if not reference:
        return None
    return find_versions(session, tenant_id, reference) or [find_rubric(session, tenant_id, reference).id]


def _lease(found: Lease) -> dict[str, Any]:
    return {"id": str(found.id), "job_id": str(found.job_id), "until": found.until}


def _change(each: Review) -> dict[str, Any]:
    same = ("what", "at", "who", "reviewer", "scores", "comment")
    return {"id": str(each.id), **{name: getattr(each, name) for name in same}}
