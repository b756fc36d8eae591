"""The bodies of batches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, WithJsonSchema

from api.fields import STRICT, AssignmentPrompt, CallbackUrl, Device, Metadata, PageQuery, ShortText, Text
from api.problems import PartProblem
from api.rubric_bodies import WantedRubric
from api.schemas import RubricRef

# Bodies that are not read into memory.
STREAMED = ("application/x-ndjson", "text/csv", "multipart/form-data")


class BatchItem(BaseModel):
    """One text of a batch. Only `text` is required."""

    model_config = STRICT
    text: Text
    external_id: ShortText | None = None
    prompt: AssignmentPrompt | None = Field(None, description="instead of the batch's")
    metadata: Metadata = Field(default_factory=dict, description="yours; up to 16 KiB as JSON")


# Each is validated by itself, so that a bad one does not sink the rest.
Unread = Annotated[Any, WithJsonSchema(BatchItem.model_json_schema())]


class BatchSettings(BaseModel):
    """How a batch is graded: in the body of JSON, in the query string of other bodies."""

    model_config = STRICT
    rubric: WantedRubric = Field("default", description="a name, name@version, an id, or a rubric itself")
    prompt: AssignmentPrompt | None = Field(None, description="the task that the students answered")
    model: ShortText | None = None
    device: Device = "any"
    allow_degraded: bool = True
    explain: bool = False
    baseline: Literal["auto", "none"] = Field(
        "none",
        description="auto: when the rubric has no active calibration, one is made from the batch's own submissions first, "
        "activated, and grades them and whatever comes later; the rubric must be one of your own",
    )
    callback_url: CallbackUrl | None = Field(None, description="gets a `POST` when the last job ends: see Webhooks")
    metadata: Metadata = Field(default_factory=dict, description="the batch's; up to 16 KiB as JSON")


class QuerySettings(BatchSettings):
    """The same in a query string: an address may have 8,190 bytes."""

    prompt: Annotated[AssignmentPrompt, Field(max_length=4000)] | None = Field(
        None, description="the task that the students answered"
    )


class NewBatchBody(BatchSettings):
    """What `POST /v1/batches` takes. Only `items` is required."""

    items: list[Unread] = Field(min_length=1, description="the texts; up to 10,000 unless the server says otherwise")


class Rejected(BaseModel):
    row: int = Field(
        description="counted from 1: the first of `items`, the first line of NDJSON, the first row below the header of a CSV, "
        "the first file of a .zip; blank ones are counted too"
    )
    problem: PartProblem


class BatchCounts(BaseModel):
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    total: int


class BaselineBody(BaseModel):
    """What became of the calibration by the batch's own submissions."""

    mode: Literal["auto", "none"]
    state: Literal["making", "used", "failed", "skipped", "none"] = Field(
        description="making: the jobs wait for it; failed, skipped: they are graded without, and `reason` says why"
    )
    calibration: str | None
    reason: str | None


class BatchBody(BaseModel):
    """A batch; list its jobs with `GET /v1/jobs?batch=`."""

    id: str
    state: Literal["running", "finished", "cancelled"]
    rubric: RubricRef
    counts: BatchCounts
    eta_seconds: float | None = Field(description="null while no rate is known")
    created_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None
    baseline: BaselineBody
    metadata: dict[str, Any]


class SubmittedBatch(BatchBody):
    """A batch, and the rows that were not taken."""

    rejected: list[Rejected]


class BatchPage(BaseModel):
    """A page of batches; `next` is the cursor of the next one."""

    items: list[BatchBody]
    next: str | None


class BatchPath(BaseModel):
    """A batch's id in an address."""

    batch_id: str


class BatchQuery(PageQuery):
    """Which batches `GET /v1/batches` lists, newest first."""

    limit: int = Field(20, ge=1, le=50)
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None
