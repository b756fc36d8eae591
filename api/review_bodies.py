"""The bodies of reviews, appeals and leases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.fields import STRICT, Clean, PageQuery, ShortText
from api.schemas import BATCH_ID, JobBody

Words = Annotated[str, StringConstraints(min_length=1, max_length=10_000), Clean]
Points = Annotated[float, Field(allow_inf_nan=False)]


class NewReviewBody(BaseModel):
    """A person's points by criterion; those that are left out stay the machine's."""

    model_config = ConfigDict(extra="forbid")
    scores: dict[ShortText, Annotated[Points, Field(strict=True)]] = Field(min_length=1, max_length=50)
    comment: Words | None = None
    reviewer: ShortText | None = Field(
        None, description="who it was, where several people share a key; yours to choose"
    )


class NewAppealBody(BaseModel):
    """Why a person should look again."""

    model_config = STRICT
    reason: Words


class WantedBody(BaseModel):
    """What to hand out."""

    model_config = STRICT
    rubric: ShortText | None = Field(
        None, description="only jobs of this rubric: a name (all its versions), name@version or id"
    )


class LeaseRef(BaseModel):
    """A lease that was handed out."""

    model_config = STRICT
    lease: Annotated[str, StringConstraints(pattern=BATCH_ID)]


class LeaseBody(BaseModel):
    id: str
    job_id: str
    until: datetime


class LeasedJob(BaseModel):
    """A job in hand; null when nothing waits for a person."""

    lease: LeaseBody | None
    job: JobBody | None


class ChangeBody(BaseModel):
    """One decision or appeal; its words and points are null after an erasure."""

    id: str
    what: Literal["review", "appeal"]
    at: datetime
    who: str = Field(description="the id of the key")
    reviewer: str | None
    scores: dict[str, float] | None
    comment: str | None = Field(description="an appeal's is its reason")


class ChangeList(BaseModel):
    items: list[ChangeBody]


class QueueQuery(PageQuery):
    """A page of the queue."""

    rubric: ShortText | None = Field(None, description="a name (all its versions), name@version or id")
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None
