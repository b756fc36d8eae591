"""The route of agreement over time: the machine's scores beside those of the people who reviewed them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from flask import Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.auth import allow
from api.reports import routes as routes
from api.routing import WRONG, answer, services
from api.rubric_bodies import RubricPath
from api.rubrics import named
from db import agreement

WRITTEN = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE | re.ASCII
)


def as_written(value: Any) -> Any:
    """A time as ISO 8601 writes it: pydantic would take a number for seconds since 1970."""
    if not isinstance(value, str) or not WRITTEN.fullmatch(value):
        raise ValueError("write the time as 2026-01-31T08:00:00Z")
    return value


def aware(value: datetime) -> datetime:
    """In UTC where no zone is said."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


Time = Annotated[datetime, BeforeValidator(as_written), AfterValidator(aware)]


class AgreementQuery(BaseModel):
    """Of which version, since when, and in which steps of time."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = Field(None, ge=1, le=1_000_000)
    since: Time | None = Field(None, description="only reviews from then on")
    period: Literal["day", "week", "month", "year"] = "week"


class Figures(BaseModel):
    """In the report's names (RSMTool's); null where reviews are too few or all alike."""

    n: int
    qwk: float | None = Field(description="quadratic weighted kappa of both in steps of the scale")
    pearson: float | None
    smd: float | None = Field(description="(machine - people) / standard deviation of people")
    exact: float
    adjacent: float
    rmse: float


class Period(BaseModel):
    begins: datetime
    criteria: dict[str, Figures]


class AgreementBody(BaseModel):
    """By criterion: for all of the time, and by period."""

    rubric: dict[str, Any]
    overall: dict[str, Figures]
    periods: list[Period]


@routes.get("/<rubric>/agreement", responses={200: AgreementBody, **WRONG})
def read_agreement(path: RubricPath, query: AgreementQuery) -> Response:
    """How well the machine agrees with the people who reviewed its scores, over time

    From each job's last review and the scores that it was made of. People who see a score before they give theirs agree with it
    more than they would otherwise.
    """
    caller = allow("read")
    with services().database.session() as session:
        rubric = named(session, caller.tenant_id, path.rubric, query.version)
        found = agreement.agreement(session, caller.tenant_id, rubric, query.period, query.since)
    periods: dict[datetime, dict[str, Any]] = {}
    for each in found:
        if each.period:
            periods.setdefault(each.period, {})[each.criterion] = each.figures
    return answer(
        {
            "rubric": {"id": str(rubric.id), "name": rubric.name, "version": rubric.version},
            "overall": {each.criterion: each.figures for each in found if each.period is None},
            "periods": [{"begins": begins, "criteria": criteria} for begins, criteria in periods.items()],
        }
    )
