"""Files as they were handed in. A worker turns each into its submission's text, and the file goes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, delete, func, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base
from db.submission import fingerprint_of

KINDS = ("txt", "md", "docx", "pdf")


class Upload(Base):
    """The file of a submission whose text nobody has read yet. One that can't be read stays, so that it can be retried."""

    __tablename__ = "upload"
    __table_args__ = (CheckConstraint("kind IN ('txt', 'md', 'docx', 'pdf')", name="kind"),)
    submission_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("submission.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that comes instead of a text; `kind` is one of KINDS."""

    kind: str
    content: bytes


# An erasure that came first keeps its word: nothing is written into an emptied submission.
READ = text("""
WITH read AS (
    UPDATE submission SET text = :text, fingerprint = :fingerprint WHERE id = :id AND erased_at IS NULL RETURNING id
)
DELETE FROM upload WHERE submission_id IN (SELECT id FROM read)
""")


def keep(session: Session, files: Sequence[tuple[uuid.UUID, NewFile]]) -> None:
    """Writes files with the ids of their submissions, in the caller's transaction."""
    if files:
        rows = [{"submission_id": each, "kind": file.kind, "content": file.content} for each, file in files]
        session.execute(insert(Upload), rows)


def content_of(session: Session, submission_id: uuid.UUID) -> bytes | None:
    """A file's bytes; None when it was read or erased meanwhile."""
    return session.scalar(select(Upload.content).where(Upload.submission_id == submission_id))


def read(session: Session, submission_id: uuid.UUID, found: str) -> None:
    """Puts the text that was found in a file into its submission, and removes the file."""
    session.execute(READ, {"id": submission_id, "text": found, "fingerprint": fingerprint_of(found)})


def forget(session: Session, submissions: Sequence[uuid.UUID]) -> None:
    """Removes the files of submissions that are erased."""
    session.execute(delete(Upload).where(Upload.submission_id.in_(submissions)))
