"""The bodies of calibrations and their reports."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from api.fields import MAX_TEXT, STRICT, Clean, JobError, NotBlank
from api.rubric_bodies import Number, RubricPath, RubricQuery
from api.schemas import BATCH_ID

GroupWord = Annotated[str, StringConstraints(min_length=1, max_length=100), NotBlank, Clean]


class CalibrationPath(RubricPath):
    calibration_id: str = Field(max_length=100)


class ReportQuery(RubricQuery):
    format: Literal["json", "html"] | None = Field(None, description="else the Accept header decides")
    calibration: str | None = Field(
        None, max_length=100, description="whose report; else the active one, the newest, the head that comes along"
    )


class ExampleBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), NotBlank, Clean]
    scores: dict[str, Number] = Field(min_length=1, max_length=50)
    scores_2: dict[str, Number] | None = Field(
        None,
        max_length=50,
        description="a second rater's scores, of criteria that the first has scored; for the report",
    )
    groups: dict[GroupWord, GroupWord] | None = Field(
        None, max_length=10, description='groups that the student belongs to, {"gender": "F"}; for the report alone'
    )

    @model_validator(mode="after")
    def _scored_twice(self) -> Self:
        alone = [name for name in self.scores_2 or {} if name not in self.scores]
        if alone:
            raise ValueError(f"a second rater has scored {', '.join(alone)[:200]}, and no first one")
        return self


class CohortText(BaseModel):
    model_config = ConfigDict(extra="ignore")
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), NotBlank, Clean]


class CohortBatch(BaseModel):
    model_config = STRICT
    batch: Annotated[str, StringConstraints(pattern=BATCH_ID)]


class NewCalibrationBody(BaseModel):
    """Graded examples, ungraded submissions of the same assignment (the cohort), or both."""

    model_config = ConfigDict(extra="forbid")
    examples: list[ExampleBody] = Field(default_factory=list, max_length=5000)
    cohort: list[CohortText] | CohortBatch | None = None
    source: Literal["reviews"] | None = Field(
        None, alias="from", description="reviews: what people decided on this rubric version's jobs, as more examples"
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=255), Clean] | None = None


class CalibrationBody(BaseModel):
    """A calibration, what it was made from, and how well it agrees."""

    id: str
    state: Literal["queued", "running", "succeeded", "failed"]
    rubric: dict[str, Any]
    examples: int
    cohort: int
    embedded: int
    progress: float
    agreement: dict[str, dict[str, Any]] | None
    agreement_before: dict[str, dict[str, Any]] | None
    baseline: dict[str, Any] | None
    coverage: float | None
    better: bool | None
    active: bool
    head: str | None
    created_at: datetime
    finished_at: datetime | None
    error: JobError | None


class CalibrationList(BaseModel):
    items: list[CalibrationBody]


class ForceQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    force: bool = False


class ReportBody(BaseModel):
    """How well a head agrees with people: figures by criterion, in RSMTool's names (docs/grading.md)."""

    kind: Literal["calibration", "default_head"]
    rubric: dict[str, Any]
    calibration: dict[str, Any] | None
    head: str | None
    note: str | None
    bars: dict[str, float] = Field(description="the testing industry's: Williamson, Xi & Breyer 2012; ETS")
    misses: list[dict[str, Any]] = Field(description="which figures miss their bar")
    form: int | None = Field(description="of the figures; a later one may hold others")
    criteria: dict[str, Any]
    overall: dict[str, Any] | None
    default_head: dict[str, Any] | None = Field(description="the card of the head that comes along, when it grades")
