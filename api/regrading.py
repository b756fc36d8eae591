"""The route of a regrade: a rubric's jobs again, under the head that is active now."""

from __future__ import annotations

from flask import Response

from api.auth import allow
from api.calibrations import routes as routes
from api.jobs import WRONG, answer, services
from api.problems import Problem
from api.rubric_bodies import RegradeBody, RubricPath, RubricQuery
from api.rubrics import named
from broker.queues import queue_name
from db import jobs
from db.base import new_id


@routes.post("/<rubric>/regrade", responses={202: RegradeBody, 409: Problem, **WRONG})
def regrade(path: RubricPath, query: RubricQuery) -> Response:
    """Grade a rubric version's submissions again under its active head, as a new batch

    From the vectors that were kept: no forward pass. The earlier jobs stay as they are.
    """
    caller = allow("submit")
    batch_id = new_id()
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, query.version)
        model = services().settings.offered[0]
        light, heavy = (queue_name(model, "any", lane) for lane in ("regrade", "bulk"))
        count = jobs.regrade(session, caller.tenant_id, rubric, batch_id, model, light, heavy)
    for queue in (light, heavy):
        services().dispatcher.wish(queue)
    counts = {"queued": count, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0, "total": count}
    shown = {"id": str(batch_id), "state": "running" if count else "finished", "counts": counts}
    return answer({**shown, "rubric": {"id": str(rubric.id), "name": rubric.name, "version": rubric.version}}, 202)
