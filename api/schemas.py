"""The bodies of requests and answers: what validates is what the document shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.fields import (
    STRICT,
    AssignmentPrompt,
    CallbackUrl,
    Device,
    JobError,
    Metadata,
    PageQuery,
    ShortText,
    Text,
    Whole,
)
from api.rubric_bodies import WantedRubric
from db.base import ID

BATCH_ID = f"^{ID}$"
State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class JobSettings(BaseModel):
    """What comes with a text or a file."""

    model_config = STRICT
    rubric: WantedRubric = Field("default", description="a name, name@version, an id, or a rubric itself")
    prompt: AssignmentPrompt | None = Field(None, description="the task that the student answered")
    model: ShortText | None = None
    device: Device = "any"
    priority: Literal["interactive", "bulk"] = "interactive"
    callback_url: CallbackUrl | None = Field(None, description="gets a `POST` when the job ends: see Webhooks")
    allow_degraded: bool = True
    explain: bool = False
    external_id: ShortText | None = None
    metadata: Metadata = Field(default_factory=dict, description="yours; up to 16 KiB as JSON")


class NewJobBody(JobSettings):
    """What `POST /v1/jobs` takes. Only `text` is required."""

    text: Text


class ListQuery(PageQuery):
    """Which jobs `GET /v1/jobs` lists, newest first."""

    state: State | None = None
    batch: Annotated[str, StringConstraints(pattern=BATCH_ID)] | None = None
    external_id: ShortText | None = None
    rubric: ShortText | None = Field(None, description="a name (all versions), name@version or id")
    code: ShortText | None = Field(None, description="of a failed job's error")
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class RetryBody(BaseModel):
    """Which failed jobs `POST /v1/jobs/retry` queues again; oldest first."""

    model_config = STRICT
    batch: Annotated[str, StringConstraints(pattern=BATCH_ID)] | None = None
    code: ShortText | None = Field(None, description="of their error, such as `worker_lost`")
    rubric: ShortText | None = Field(None, description="a name (all versions), name@version or id")
    limit: Whole = Field(1000, ge=1, le=10_000)


class RetriedBody(BaseModel):
    """How many jobs were queued again."""

    retried: int


class JobPath(BaseModel):
    """A job's id in an address."""

    job_id: str


class RubricRef(BaseModel):
    id: str
    name: str
    version: int


class Reason(BaseModel):
    """A sentence that raises a score (effect above 0) or lowers it, in points of the criterion's scale."""

    text: str
    start: int
    end: int
    effect: float


class Score(BaseModel):
    criterion: str
    score: float
    min: float
    max: float
    interval: list[float]
    confidence: float
    level: str | None
    feedback: list[str]
    reasons: list[Reason] | None = Field(None, description="with `explain: true`: what moved the score most")


class Overall(BaseModel):
    score: float
    min: float
    max: float
    interval: list[float]


class Advisory(BaseModel):
    code: str
    message: str


class ScoredBy(BaseModel):
    model: str
    revision: str
    head: str
    engine: str
    device: str
    worker: str
    calibration: str | None
    text_coverage: float


class Timings(BaseModel):
    queue_ms: float | None
    tokenize_ms: float | None
    inference_ms: float | None
    persist_ms: float | None
    total_ms: float | None


class ReviewBody(BaseModel):
    """What a person decided last. The machine's scores stay in `scores`."""

    id: str
    scores: dict[str, float]
    overall: float | None = Field(description="their weighted mean; the machine's where the person gave none")
    comment: str | None
    at: datetime
    who: str = Field(description="the id of the key")
    reviewer: str | None = Field(description="whom the key's owner named")


class AppealBody(BaseModel):
    """An appeal that nobody has answered with a review."""

    at: datetime
    reason: str | None = Field(description="null once texts are erased: it is the student's words")


class JobBody(BaseModel):
    """A job, the same wherever it is shown."""

    id: str
    state: State
    rubric: RubricRef
    external_id: str | None
    batch_id: str | None
    priority: str
    device: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    erased_at: datetime | None
    attempts: int
    cached: bool
    degraded: bool
    scores: list[Score] | None
    overall: Overall | None
    advisories: list[Advisory]
    needs_review: bool
    review_reasons: list[str]
    scored_by: ScoredBy | None
    timings: Timings
    review: ReviewBody | None
    appeal: AppealBody | None
    error: JobError | None
    metadata: dict[str, Any]


class JobPage(BaseModel):
    """A page of jobs; `next` is the cursor of the next one."""

    items: list[JobBody]
    next: str | None


class ModelBody(BaseModel):
    model: str
    revision: str
    device: str
    engine: str
    window: int
    criteria: list[str]
    head: str
    workers: int


class ModelList(BaseModel):
    items: list[ModelBody]


class ChildBody(BaseModel):
    pid: int
    rss_bytes: int
    seen_at: datetime


class WorkerBody(BaseModel):
    name: str
    host: str
    model: str
    revision: str
    engine: str
    device: str
    queues: list[str]
    started_at: datetime
    children: list[ChildBody]


class WorkerList(BaseModel):
    items: list[WorkerBody]


class QueueBody(BaseModel):
    queue: str
    waiting: int
    held: int = Field(description="jobs that wait for their batch's baseline, not for a worker")
    running: int
    oldest_seconds: float
    rate_per_second: float
    eta_seconds: float | None
    workers: int


class QueueList(BaseModel):
    items: list[QueueBody]


class Health(BaseModel):
    status: Literal["ok"]


class Ready(BaseModel):
    ready: bool
    database: bool
    broker: bool
    workers: int
