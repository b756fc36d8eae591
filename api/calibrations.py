"""Routes of calibrations: teach a rubric, read what came of it, switch it on and off, grade again."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api import graded_csv
from api.auth import allow
from api.calibration_bodies import (
    CalibrationBody,
    CalibrationList,
    CalibrationPath,
    ForceQuery,
    NewCalibrationBody,
)
from api.errors import Conflict, InvalidRequest, UnsupportedMediaType
from api.json_stream import LONGEST, gathered
from api.lessons import MOST_EXAMPLES, Scales, lessons_of, scales_of
from api.problems import Problem, invalid
from api.requests import not_an_object
from api.routing import FORM, WRONG, answer, offered_model, read_id, services
from api.rubric_bodies import RubricPath, RubricQuery
from api.rubrics import address, csv_file, named
from api.rubrics import routes as routes
from api.spool import spooled
from broker.queues import queue_name
from db import activation, calibrations
from db.calibration import Calibration
from db.errors import CalibrationNotFound
from db.rubric import Rubric

LONG = ("examples", "cohort")  # they are counted before they are held


@routes.before_request
def _make_room() -> None:
    """Before anything reads the body: a class of essays is longer than a job."""
    if request.endpoint == f"{routes.name}.calibrate":
        request.max_content_length = services().settings.max_upload_bytes


@routes.post("/<rubric>/calibrations", responses={202: CalibrationBody, 400: Problem, 413: Problem, **WRONG})
def calibrate(path: RubricPath, query: RubricQuery) -> Response:
    """Teach a rubric by graded examples, by a cohort, or by both

    Takes JSON (`{"examples": [{"text", "scores"}], "cohort": [{"text"}] | {"batch": id}}`) or `text/csv` with a column
    `text` and one for each criterion; rows without scores are the cohort. 10 to 5,000 examples, or a cohort of 20 and
    more. A row that can't be used is named by its number below the header and its line. `{"from": "reviews"}` takes what
    people decided on this rubric version's jobs. A worker fits the head; `GET` the calibration for its agreement and
    `/report` for all of it, then activate it.

    An example may carry a second rater's scores (`scores_2`; in CSV columns `<criterion>_2`) and the groups that its
    student belongs to (`"groups": {"gender": "F"}`; in CSV columns `group:<name>`). They teach nothing; the report
    compares raters and groups by them.
    """
    caller = allow("submit")
    body = _body(caller.tenant_id, path, query)
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, query.version)
        if rubric.tenant_id is None:
            raise InvalidRequest(
                "The rubric that comes along is shared by all and can't be taught; make one of your own first.",
                [{"loc": ["rubric"], "msg": "make one with POST /v1/rubrics"}],
            )
        examples = lessons_of(session, caller.tenant_id, rubric, body)
        model = offered_model(body.model)
        queue = queue_name(model, "any", "bulk")
        made = calibrations.begin(session, caller.tenant_id, rubric, model, queue, examples)
        shown = calibration_body(rubric, made)
    services().dispatcher.wish()
    response = answer(shown, 202)
    response.headers["Location"] = f"{address(rubric)}/calibrations/{made.id}"
    response.headers["Retry-After"] = "2"
    return response


@routes.get("/<rubric>/calibrations", responses={200: CalibrationList, **WRONG})
def all_calibrations(path: RubricPath) -> Response:
    """List a rubric's calibrations, newest first"""
    caller = allow("read")
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, None)
        found = calibrations.list_calibrations(session, caller.tenant_id, rubric)
        return answer({"items": [calibration_body(rubric, each) for each in found]})


@routes.get("/<rubric>/calibrations/<calibration_id>", responses={200: CalibrationBody, **WRONG})
def read_calibration(path: CalibrationPath) -> Response:
    """Read a calibration: its state, and how well it agrees with the examples when it is made"""
    caller = allow("read")
    with services().database.session() as session:
        rubric, found = _found(session, caller.tenant_id, path)
        return answer(calibration_body(rubric, found))


@routes.post(
    "/<rubric>/calibrations/<calibration_id>/activate", responses={200: CalibrationBody, 409: Problem, **WRONG}
)
def activate(path: CalibrationPath, query: ForceQuery) -> Response:
    """Grade by this calibration from now on

    Refused when it agrees worse with the examples than the head that it would replace, unless `?force=true`. To roll
    back, activate an earlier one.
    """
    caller = allow("submit")
    with services().database.session() as session:
        rubric, found = _found(session, caller.tenant_id, path)
        card = found.card or {}
        if card.get("better") is False and not query.force:
            raise Conflict(
                f"It agrees worse than the head that it would replace: mean quadratic weighted kappa "
                f"{card['kappa']:.3f} against {card['kappa_before']:.3f}, both on examples that were held out. Add more "
                "graded examples, or activate it with ?force=true."
            )
        activation.activate(session, found)
        return answer(calibration_body(rubric, found))


@routes.post("/<rubric>/calibrations/<calibration_id>/deactivate", responses={200: CalibrationBody, **WRONG})
def deactivate(path: CalibrationPath) -> Response:
    """Grade by the head that comes along again"""
    caller = allow("submit")
    with services().database.session() as session:
        rubric, found = _found(session, caller.tenant_id, path)
        activation.deactivate(session, found)
        return answer(calibration_body(rubric, found))


def calibration_body(rubric: Rubric, made: Calibration) -> dict[str, Any]:
    """A calibration as the API shows it."""
    card = made.card or {}
    total = made.examples + made.cohort
    done = made.state in ("succeeded", "failed")
    return {
        "id": str(made.id),
        "state": made.state,
        "rubric": {"id": str(made.rubric_id), "name": rubric.name},
        "examples": made.examples,
        "cohort": made.cohort,
        "embedded": made.embedded,
        # Embedding takes nearly all of the time; the fit is the rest.
        "progress": 1.0 if done else round(0.95 * made.embedded / max(1, total), 3),
        "agreement": card.get("agreement"),
        "agreement_before": card.get("agreement_before"),
        "baseline": card.get("baseline"),
        "coverage": card.get("coverage"),
        "better": card.get("better"),
        "active": made.active,
        "head": made.sha256[:16] if made.sha256 else None,
        "created_at": made.created_at,
        "finished_at": made.finished_at,
        "error": made.error,
    }


def _found(session: Session, tenant_id: uuid.UUID, path: CalibrationPath) -> tuple[Rubric, Calibration]:
    rubric = named(session, tenant_id, path.rubric, None)
    return rubric, calibration_of(session, tenant_id, rubric, path.calibration_id)


def calibration_of(session: Session, tenant_id: uuid.UUID, rubric: Rubric, wanted: str) -> Calibration:
    """The rubric's calibration with the id of an address, or CalibrationNotFound."""
    calibration_id = read_id(wanted, CalibrationNotFound("there is no calibration with this id"))
    return calibrations.find_calibration(session, tenant_id, rubric, calibration_id)


def _body(tenant_id: uuid.UUID, path: RubricPath, query: RubricQuery) -> NewCalibrationBody:
    if request.mimetype not in ("text/csv", "application/csv", FORM):
        return _body_of_json()
    with services().database.session() as session:
        scales = scales_of(named(session, tenant_id, path.rubric, query.version))
    return _body_of_csv(scales)


def _body_of_json() -> NewCalibrationBody:
    if not request.is_json:
        raise UnsupportedMediaType("Send the examples as application/json or text/csv.")
    with spooled() as file:
        body = gathered(file, LONG, LONGEST, MOST_EXAMPLES)
    if body is None:
        raise not_an_object()
    try:
        return NewCalibrationBody.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from error


def _body_of_csv(scales: Scales) -> NewCalibrationBody:
    with csv_file() as file:
        graded, cohort = graded_csv.read(file, scales)
    if len(graded) > MOST_EXAMPLES:
        raise InvalidRequest(f"{len(graded)} examples; {MOST_EXAMPLES:,} can be taken.")
    return NewCalibrationBody.model_validate({"examples": graded, "cohort": cohort or None})
