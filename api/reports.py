"""The route of reports: how well the head that grades a rubric agrees with people, as JSON or as a page."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from sqlalchemy.orm import Session

from api.auth import allow
from api.bars import BARS, default_misses, misses
from api.calibration_bodies import ReportBody, ReportQuery
from api.calibrations import calibration_of
from api.default_card import by_criterion, default_card
from api.errors import Conflict
from api.problems import Problem
from api.regrading import routes as routes
from api.report_page import page
from api.routing import WRONG, answer, services
from api.rubric_bodies import RubricPath
from api.rubrics import named
from db import activation
from db.calibration import Calibration
from db.rubric import Rubric, unmeasured

# Nothing is loaded, run, sent or framed; matplotlib's pictures carry their styles with them.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
BY_COHORT = "Made from ungraded submissions alone: nobody's scores are there to agree with."
BEFORE = "Made before reports were kept; teach the rubric again for one."


@routes.get("/<rubric>/report", responses={200: ReportBody, 409: Problem, **WRONG})
def read_report(path: RubricPath, query: ReportQuery) -> Response:
    """How well the head that grades a rubric agrees with people

    JSON, or a page with pictures (`Accept: text/html`, or `?format=html`). Of the active calibration; without one, of the
    newest; without any, of the head that comes along. Names and formulas are RSMTool's; agreement is in percent, scores
    and errors in points of the scale. All figures come from scores by heads that had not seen the text.
    """
    caller = allow("read")
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, query.version)
        made = _calibration(session, caller.tenant_id, rubric, query.calibration)
        # One that is asked for by its id may be of another version.
        body = of_calibration(session.get_one(Rubric, made.rubric_id), made) if made else of_default_head(rubric)
    response = _as_page(body) if _wants_page(query) else answer(body)
    response.vary.add("Accept")
    return response


def of_calibration(rubric: Rubric, made: Calibration) -> dict[str, Any]:
    """The report that the worker has stored, with what it is of. Conflict while there is no head."""
    if made.state != "succeeded":
        raise Conflict(f"A calibration that is {made.state} has no report.")
    report: dict[str, Any] = made.report or {"form": None, "criteria": {}, "overall": None}
    found = report["criteria"]
    # The database sorts names by length; people know the rubric's order.
    report = {**report, "criteria": {c["name"]: found[c["name"]] for c in rubric.criteria if c["name"] in found}}
    about = ("id", "active", "examples", "cohort", "model", "revision", "created_at", "finished_at")
    note = None if made.report else BEFORE if made.examples else BY_COHORT
    return {
        "kind": "calibration",
        "rubric": _rubric(rubric),
        "calibration": {name: getattr(made, name) for name in about},
        "head": made.sha256[:16] if made.sha256 else None,
        "note": note,
        "bars": BARS,
        "misses": misses(report),
        **report,
        "default_head": None,
    }


def of_default_head(rubric: Rubric) -> dict[str, Any]:
    """What was measured of the head that comes along, when it was fitted."""
    card = default_card(services().settings.own_model)
    missing = unmeasured(rubric.criteria)
    note = f"It can't score {', '.join(missing)}: teach the rubric with graded examples." if missing else None
    head = {**card, "figures": by_criterion(card)} if card else None
    return {
        "kind": "default_head",
        "rubric": _rubric(rubric),
        "calibration": None,
        "head": f"{card['name']}@{card['version']}" if card else None,
        "note": note if card else "This server does not hold the card of the head that comes along.",
        "bars": BARS,
        "misses": default_misses(head["figures"]) if head else [],
        "form": None,
        "criteria": {},
        "overall": None,
        "default_head": head,
    }


def _rubric(rubric: Rubric) -> dict[str, Any]:
    measures = {c["name"]: c.get("measures") for c in rubric.criteria}
    return {"id": str(rubric.id), "name": rubric.name, "version": rubric.version, "measures": measures}


def _calibration(session: Session, tenant_id: uuid.UUID, rubric: Rubric, wanted: str | None) -> Calibration | None:
    if wanted is None:
        return activation.active_calibration(session, rubric.id) or activation.newest_made(session, rubric.id)
    return calibration_of(session, tenant_id, rubric, wanted)


def _wants_page(query: ReportQuery) -> bool:
    """JSON unless a page is wanted more: `*/*` is not."""
    if query.format:
        return query.format == "html"
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _as_page(body: dict[str, Any]) -> Response:
    response = Response(page(body), mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
