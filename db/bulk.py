"""Many texts at once: their submissions and jobs, in pieces, so that ten thousand take no more memory than hundreds."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from sqlalchemy.orm import Session

from db import upload
from db.base import new_ids
from db.batch import Batch
from db.copying import copy_rows
from db.submission import fingerprint_of
from db.upload import NewFile
from db.work import NO_ORIGIN, Origin

SUBMISSION = ("id", "tenant_id", "text", "prompt", "fingerprint")
JOB = (
    "id", "submission_id", "external_id", "metadata", "tenant_id", "rubric_id", "batch_id", "share_id", "queue", "model",
    "device", "priority", "allow_degraded", "explain", "held", "request_id", "traceparent",
)  # fmt: skip


# A piece ends with the row that passes one of these.
PIECE_ROWS, PIECE_CHARACTERS = 500, 2**20


@dataclass(frozen=True, slots=True)
class NewRow:
    """One text of a batch, validated. A row with a file has no text yet."""

    text: str
    prompt: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    file: NewFile | None = None

    @property
    def size(self) -> int:
        return len(self.file.content) if self.file else len(self.text)


class Rows(Protocol):
    """A list of rows, or what reads them one by one from a file and knows how many there are."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[NewRow]: ...


@dataclass(frozen=True)
class Manner:
    """How all texts of a batch are graded."""

    model: str
    queue: str
    device: str = "any"
    allow_degraded: bool = True
    explain: bool = False
    origin: Origin = NO_ORIGIN


def submit_rows(session: Session, batch: Batch, manner: Manner, rows: Rows, held: bool) -> list[uuid.UUID]:
    """Writes a submission and a queued job for each row in the caller's transaction; returns the submissions' ids.

    Jobs that are held wait until `jobs.release` lets their batch go.
    """
    # All ids at once: the order of jobs is that of rows.
    submissions, jobs = new_ids(len(rows)), new_ids(len(rows))
    ids = zip(submissions, jobs, strict=True)
    for piece in _pieces(iter(rows)):
        _write(session, batch, manner, list(islice(ids, len(piece))), piece, held)
    if next(ids, None) is not None:
        raise ValueError("fewer rows than were counted")
    return submissions


def _pieces(rows: Iterator[NewRow]) -> Iterator[list[NewRow]]:
    piece: list[NewRow] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += row.size
        if len(piece) >= PIECE_ROWS or size >= PIECE_CHARACTERS:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _write(
    session: Session, batch: Batch, manner: Manner, ids: list[tuple[uuid.UUID, uuid.UUID]], rows: list[NewRow], held: bool
) -> None:  # fmt: skip
    tenant, pairs = batch.tenant_id, list(zip(ids, rows, strict=True))
    written = (
        (each, tenant, row.text, row.prompt, None if row.file else fingerprint_of(row.text)) for (each, _), row in pairs
    )
    copy_rows(session, "submission", SUBMISSION, written)
    same = (
        tenant, batch.rubric_id, batch.id, batch.id, manner.queue, manner.model,
        manner.device, "bulk", manner.allow_degraded, manner.explain, held,
        manner.origin.request_id, manner.origin.traceparent,
    )  # fmt: skip
    jobs = ((job, each, row.external_id, json.dumps(row.metadata), *same) for (each, job), row in pairs)
    copy_rows(session, "job", JOB, jobs)
    upload.keep(session, [(each, row.file) for (each, _), row in pairs if row.file])
