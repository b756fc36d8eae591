"""The Flask app: everything that speaks HTTP, put together."""

from __future__ import annotations

from flask import Flask, Response
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import ValidationError

from api import (
    agreement,
    audit,
    auth,
    batch_results,
    browsers,
    document,
    events,
    file_jobs,
    http_metrics,
    legacy,
    metrics,
    problems,
    requests,
    reviews,
    webhooks,
)
from api.auth import Keys
from api.intake import Intake
from api.limits import Limits
from api.problems import Problem, invalid, problem
from api.services import Services
from api.settings import ApiSettings
from api.streams import Streams
from api.wakeup import Wakeup
from broker.app import make_app
from broker.dispatch import Dispatch, Dispatcher
from broker.traces import Traces, make_traces
from db.session import Database

DESCRIPTION = """Grades student writing on a rubric, asynchronously.

`POST /v1/jobs` stores a text and answers at once; `GET /v1/jobs/{id}` shows its scores when a worker has graded it.
`POST /v1/batches` does it for thousands of texts.
Errors are RFC 9457 problems with a stable `code`. Ids are UUIDv7, times ISO 8601 in UTC."""


def create_app(settings: ApiSettings, traces: Traces | None = None) -> Flask:
    """The app of one process. Connections are opened when they are needed, so it may be made before a fork."""
    app = OpenAPI(
        __name__,
        info=Info(title="Gradeline", version="1", description=DESCRIPTION),
        security_schemes={"key": {"type": "http", "scheme": "bearer"}},
        validation_error_callback=_invalid,
        validation_error_model=Problem,
        doc_ui=False,  # api.document serves it
        static_folder=None,
    )
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    database, celery = Database(settings), make_app(settings)
    traces = traces or make_traces(settings, "gradeline-api")
    dispatcher = Dispatcher(Dispatch(database, celery, settings, traces))
    wakeup = Wakeup(database, settings.waiters)
    app.extensions["gradeline"] = Services(
        settings,
        database,
        celery,
        dispatcher,
        Keys(database),
        wakeup,
        Intake(settings),
        Limits(settings),
        Streams(database, wakeup, settings),
        traces,
    )
    metrics.install(app, http_metrics.install(app))
    requests.install(app)
    problems.install(app)
    auth.install(app)
    browsers.install(app, settings)
    app.register_api(file_jobs.routes)  # with all of jobs
    app.register_api(reviews.routes)
    app.register_api(batch_results.routes)  # with all of batches
    app.register_api(events.routes)
    app.register_api(webhooks.routes)
    app.register_api(agreement.routes)  # with those of rubrics, calibrations, regrades and reports
    app.register_api(audit.routes)
    app.register_api(metrics.routes)  # with those of the running system
    app.register_api(legacy.routes)
    document.install(app)
    return app


def _invalid(error: ValidationError) -> Response:
    found = invalid(error)
    return problem(found.code, str(found), found.errors)
