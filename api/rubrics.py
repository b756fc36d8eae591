"""Routes of rubrics: make, list, read, import, export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import ValidationError
from sqlalchemy.orm import Session

from api import canvas, canvas_export
from api.auth import allow
from api.errors import InvalidRequest, UnsupportedMediaType
from api.problems import Problem, field_errors
from api.requests import look_at_bodies
from api.routing import FORM, KEY, WRONG, answer, services
from api.rubric_bodies import (
    ExportQuery,
    ImportedRubrics,
    NewRubricBody,
    RubricBody,
    RubricList,
    RubricPath,
    RubricQuery,
)
from api.spool import spooled
from db import activation
from db.rubric import Rubric, add_version, find_rubric, list_rubrics, unmeasured, versions_of

routes = APIBlueprint("rubrics", __name__, url_prefix="/v1/rubrics", abp_tags=[Tag(name="Rubrics")], abp_security=KEY)
look_at_bodies(routes, {"make_rubric": "submit"})
MOST_RUBRICS = 1000


@routes.post("", responses={201: RubricBody, 400: Problem, 415: Problem, **WRONG})
def make_rubric(body: NewRubricBody) -> Response:
    """Make a rubric, or the next version of one

    Versions never change; the same name again makes the next one.
    """
    caller = allow("submit")
    with services().database.session() as session:
        rubric = add_version(session, caller.tenant_id, body.name, body.prompt, body.stored())
        session.refresh(rubric)
        made = rubric_body(session, rubric)
    response = answer(made, 201)
    response.headers["Location"] = f"{address(rubric)}@{rubric.version}"
    return response


@routes.get("", responses={200: RubricList, **WRONG})
def all_rubrics() -> Response:
    """List rubrics, each in its newest version"""
    caller = allow("read")
    with services().database.session() as session:
        found = list_rubrics(session, caller.tenant_id, MOST_RUBRICS)
        return answer({"items": [rubric_body(session, rubric) for rubric in found]})


@routes.get("/<rubric>", responses={200: RubricBody, **WRONG})
def read_rubric(path: RubricPath, query: RubricQuery) -> Response:
    """Read a rubric, by name (its newest version), name@version or id"""
    caller = allow("read")
    with services().database.session() as session:
        return answer(rubric_body(session, named(session, caller.tenant_id, path.rubric, query.version)))


@routes.post("/import", responses={201: ImportedRubrics, 400: Problem, 415: Problem, **WRONG})
def import_rubrics() -> Response:
    """Make rubrics from a Canvas rubric CSV

    Takes the file as the body (`text/csv`) or as the field `file` of a form. A rubric that can't be read is refused
    alone: `{"rubrics": [...], "rejected": [{"rubric", "row", "problem"}]}`.
    """
    caller = allow("submit")
    with csv_file() as file:
        good, rejected = canvas.read(file)
    made = []
    with services().database.session() as session:
        for found in good:
            try:
                body = NewRubricBody.model_validate(found.body)
            except ValidationError as error:
                rejected.append(canvas.refused(found.name, found.row, field_errors(error)))
                continue
            rubric = add_version(session, caller.tenant_id, body.name, None, body.stored())
            session.refresh(rubric)
            made.append(rubric_body(session, rubric))
    if not made:
        reasons = [{"loc": [r["rubric"], r["row"]], "msg": r["problem"]["detail"]} for r in rejected]
        raise InvalidRequest("The file has no rubric that could be read.", reasons)
    return answer({"rubrics": made, "rejected": rejected}, 201)


@routes.get("/<rubric>/export", responses={200: None, **WRONG})
def export_rubric(path: RubricPath, query: ExportQuery) -> Response:
    """A rubric as a Canvas rubric CSV"""
    caller = allow("read")
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, query.version)
    response = Response(canvas_export.write(rubric.name, rubric.criteria), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="rubric-v{rubric.version}.csv"'
    return response


def named(session: Session, tenant_id: Any, reference: str, version: int | None) -> Rubric:
    """The rubric of an address; RubricMissing when there is none."""
    return find_rubric(session, tenant_id, f"{reference}@{version}" if version else reference)


def address(rubric: Rubric) -> str:
    """Where a rubric's newest version is read."""
    return f"{routes.url_prefix}/{quote(rubric.name, safe='')}"


@contextmanager
def csv_file() -> Iterator[BinaryIO]:
    """The CSV of a request as a file, which is not held in memory: its body, or the field `file` of a form."""
    kind = request.mimetype
    if kind == FORM:
        if "file" not in request.files:
            raise InvalidRequest("Send the file in the field 'file'.", [{"loc": ["file"], "msg": "is missing"}])
        yield request.files["file"].stream  # type: ignore[misc]  # werkzeug says IO[bytes]
    elif kind in ("text/csv", "application/csv", "text/plain"):
        with spooled() as file:
            yield file
    else:
        raise UnsupportedMediaType("Send the file as text/csv, or as multipart/form-data in the field 'file'.")


def rubric_body(session: Session, rubric: Rubric) -> dict[str, Any]:
    """A rubric as the API shows it."""
    active = activation.active_calibration(session, rubric.id)
    return {
        "id": str(rubric.id),
        "name": rubric.name,
        "version": rubric.version,
        "versions": versions_of(session, rubric),
        "prompt": rubric.prompt,
        "criteria": rubric.criteria,
        "calibration": str(active.id) if active else None,
        "needs_calibration": [] if active else unmeasured(rubric.criteria),
        "created_at": rubric.created_at,
    }
