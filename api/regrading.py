"""The route of a regrade: a rubric's jobs again, under the head that is active now."""

from __future__ import annotations

from flask import Response
from structlog.contextvars import bind_contextvars

from api.auth import allow
from api.batch_bodies import BatchBody
from api.calibrations import routes as routes
from api.jobs import scored
from api.problems import Problem
from api.requests import origin
from api.routing import WRONG, answer, services
from api.rubric_bodies import RubricPath, RubricQuery
from api.rubrics import named
from api.views import batch_body
from broker.queues import queue_name
from db import batches, regrading


@routes.post("/<rubric>/regrade", responses={202: BatchBody, 409: Problem, 413: Problem, **WRONG})
def regrade(path: RubricPath, query: RubricQuery) -> Response:
    """Grade a rubric version's submissions again under its active head, as a new batch

    From the vectors that were kept: no forward pass. The earlier jobs stay as they are. A version that has graded nothing
    is answered with a batch that has finished, and whose `counts.total` is 0: name the version that has with `?version=`.
    A rubric that nothing scores now is refused as for a job (422), and so is more than may wait (429, 503).
    """
    caller = allow("submit")
    with services().database.session() as session:
        rubric = scored(session, named(session, caller.tenant_id, path.rubric, query.version))
        services().intake.admit(session, caller.tenant_id, regrading.count(session, caller.tenant_id, rubric))
        model = services().settings.offered[0]
        light, heavy = (queue_name(model, "any", lane) for lane in ("regrade", "bulk"))
        view = batches.regrade(session, caller.tenant_id, rubric, model, light, heavy, origin())
    bind_contextvars(batch=view.batch.id)
    for queue in (light, heavy):
        services().dispatcher.wish(queue)
    response = answer(batch_body(view), 202)
    response.headers["Location"] = f"/v1/batches/{view.batch.id}"
    return response
