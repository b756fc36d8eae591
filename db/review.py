"""Reviews: what people decided on a job's scores, and appeals. Rows are added and never changed, but by an erasure.

The last decision also stands in `result.review`, where every reader of the job finds it, and is gone with the result.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Review(Base):
    """One change: `who` is the id of a key, `reviewer` whom its owner names; an appeal's `comment` is its reason."""

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("what IN ('review', 'appeal')", name="what"),
        Index("ix_review_job_id", "job_id", "id"),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    what: Mapped[str]
    who: Mapped[str]
    reviewer: Mapped[str | None]
    scores: Mapped[dict[str, Any] | None]
    comment: Mapped[str | None]
