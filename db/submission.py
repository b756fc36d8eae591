"""What students handed in, and the vectors that were computed from it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, new_id


def fingerprint_of(text: str) -> bytes:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Submission(Base):
    """A text as it was handed in, with the assignment prompt that it answers. Both are emptied by an erasure."""

    __tablename__ = "submission"
    __table_args__ = (Index("ix_submission_fingerprint", "tenant_id", "fingerprint"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tenant.id"))
    text: Mapped[str]
    prompt: Mapped[str | None]
    fingerprint: Mapped[bytes | None]  # SHA-256 of the text: what was read once need not be read again
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    erased_at: Mapped[datetime | None]


class Embedding(Base):
    """What one encoder made of one submission, kept so that a new head needs no forward pass."""

    __tablename__ = "embedding"
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes]  # float16, little-endian: layers x hidden
    surface: Mapped[bytes | None]  # float32, little-endian: the surface features
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
