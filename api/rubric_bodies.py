"""The bodies of rubrics."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from api.fields import BY_ITSELF, BY_NAME, Clean, NotBlank, ShortText
from api.problems import PartProblem
from db.base import is_id
from db.rubric import INLINE, MEASURES

# Strict, because `true` is no number.
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^@/\s\x00][^@/\r\n\t\x00]*$"), Clean]
Description = Annotated[str, StringConstraints(max_length=5000), Clean]
Prompt = Annotated[str, StringConstraints(max_length=20_000), Clean]
# The document names them; a wrong one is answered with a sentence that does too.
Measure = Annotated[str, StringConstraints(max_length=100), WithJsonSchema({"type": "string", "enum": list(MEASURES)})]
MAX_STEPS = 10_000


class LevelBody(BaseModel):
    """A named band of a criterion's scale; it begins at `from` and ends where the next one begins."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    name: Annotated[str, StringConstraints(min_length=1, max_length=100), Clean]
    begins: Number = Field(alias="from")
    description: Description = ""


class CriterionBody(BaseModel):
    """One aspect with its scale."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=100), NotBlank, Clean]
    measures: Measure | None = Field(
        None, description=f"what scores it, one of {', '.join(MEASURES)}; none: its own calibration"
    )
    weight: float = Field(1.0, ge=0, le=1e6, allow_inf_nan=False, strict=True)
    min: Number = 0.0
    max: Number = 100.0
    step: float | None = Field(
        None, gt=0, allow_inf_nan=False, strict=True, description="scores are rounded to steps from `min`"
    )
    description: Description = ""
    levels: list[LevelBody] = Field(default_factory=list, max_length=50)

    @field_validator("measures")
    @classmethod
    def _measurable(cls, value: str | None) -> str | None:
        if value is not None and value not in MEASURES:
            raise ValueError(
                f"no model measures '{value[:100]}'. These can be measured: {', '.join(MEASURES)}. "
                "Leave `measures` out for a criterion of your own, and calibrate it with graded examples"
            )
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.max <= self.min:
            raise ValueError(f"the max ({self.max:g}) must be greater than min ({self.min:g})")
        if self.step is not None and not 1 <= (self.max - self.min) / self.step <= MAX_STEPS:
            raise ValueError(f"the step must part the scale into 1 to {MAX_STEPS:,} steps")
        outside = [level.name for level in self.levels if not self.min <= level.begins <= self.max]
        if outside:
            raise ValueError(f"levels must begin on the scale {self.min:g} to {self.max:g}: {', '.join(outside)}")
        if len({level.name for level in self.levels}) < len(self.levels):
            raise ValueError("two levels have the same name")
        return self


class InlineRubric(BaseModel):
    """A rubric inside a job."""

    model_config = ConfigDict(extra="forbid")
    prompt: Prompt | None = None
    criteria: list[CriterionBody] = Field(min_length=1, max_length=50)

    @field_validator("criteria")
    @classmethod
    def _distinct(cls, value: list[CriterionBody]) -> list[CriterionBody]:
        if len({c.name for c in value}) < len(value):
            raise ValueError("two criteria have the same name")
        if not any(c.weight > 0 for c in value):
            raise ValueError("one criterion at least needs a weight above 0")
        return value

    def stored(self) -> list[dict[str, Any]]:
        """The criteria as the database keeps them; what a criterion's name measures is said outright."""
        criteria = [c.model_dump(by_alias=True) for c in self.criteria]
        for criterion in criteria:
            if criterion["measures"] is None and criterion["name"] in MEASURES:
                criterion["measures"] = criterion["name"]
            criterion["levels"].sort(key=lambda level: float(level["from"]))
        return criteria


# Told apart first, so that what is wrong with a rubric is not said of a name as well.
WantedRubric = Annotated[
    Annotated[ShortText, Tag(BY_NAME)] | Annotated[InlineRubric, Tag(BY_ITSELF)],
    Discriminator(lambda value: BY_ITSELF if isinstance(value, dict | InlineRubric) else BY_NAME),
]


class NewRubricBody(InlineRubric):
    """What `POST /v1/rubrics` takes."""

    name: Name

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value == "default" or value.startswith(INLINE):
            raise ValueError(f"the name '{value}' is taken by Gradeline; choose another")
        if is_id(value) or value in (".", ".."):  # it would be read as an id, or as a step in an address
            raise ValueError(f"a rubric that is called '{value}' could not be reached by its name; choose another")
        return value


class RubricPath(BaseModel):
    """A rubric's name, name@version or id in an address."""

    rubric: str = Field(max_length=255)


class RubricQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: int | None = Field(None, ge=1, le=1_000_000)


class ExportQuery(RubricQuery):
    format: Literal["canvas"] = "canvas"


class RubricBody(BaseModel):
    """One version of a rubric."""

    id: str
    name: str
    version: int
    versions: list[int]
    prompt: str | None
    criteria: list[dict[str, Any]]
    calibration: str | None = Field(description="the active calibration's id; null: the head that comes along")
    needs_calibration: list[str] = Field(description="criteria that can't be scored before a calibration is active")
    created_at: datetime


class RubricList(BaseModel):
    items: list[RubricBody]


class RefusedRubric(BaseModel):
    """A rubric of a file that could not be read, the row where it begins, and why."""

    rubric: str
    row: int
    problem: PartProblem


class ImportedRubrics(BaseModel):
    rubrics: list[RubricBody]
    rejected: list[RefusedRubric]
