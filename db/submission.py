"""What students handed in, and the vectors that were computed from it."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


class Submission(Base):
    """A text as it was handed in, with the assignment prompt that it answers. Both are emptied by an erasure."""

    __tablename__ = "submission"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"), index=True)
    text: Mapped[str]
    prompt: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]


class Embedding(Base):
    """What one encoder made of one submission, kept so that a new head needs no forward pass."""

    __tablename__ = "embedding"
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes]  # float16, little-endian: layers x hidden
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
