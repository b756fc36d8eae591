"""Many texts at once: their submissions and jobs, in a number of statements that does not depend on how many."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from db.base import new_ids
from db.batch import Batch
from db.copying import copy_rows
from db.submission import fingerprint_of

SUBMISSION = ("id", "tenant_id", "text", "prompt", "fingerprint")
JOB = (
    "id", "submission_id", "external_id", "metadata", "tenant_id", "rubric_id", "batch_id", "share_id", "queue", "model",
    "device", "priority", "allow_degraded", "explain", "held",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewRow:
    """One text of a batch, validated."""

    text: str
    prompt: str | None = None
    external_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manner:
    """How all texts of a batch are graded."""

    model: str
    queue: str
    device: str = "any"
    allow_degraded: bool = True
    explain: bool = False


def submit_rows(session: Session, batch: Batch, manner: Manner, rows: Sequence[NewRow], held: bool) -> list[uuid.UUID]:
    """Writes a submission and a queued job for each row in the caller's transaction; returns the submissions' ids.

    Jobs that are held wait until `jobs.release` lets their batch go.
    """
    submissions, tenant = new_ids(len(rows)), batch.tenant_id
    texts = zip(submissions, rows, strict=True)
    written = ((each, tenant, row.text, row.prompt, fingerprint_of(row.text)) for each, row in texts)
    copy_rows(session, "submission", SUBMISSION, written)
    same = (
        tenant, batch.rubric_id, batch.id, batch.id, manner.queue, manner.model,
        manner.device, "bulk", manner.allow_degraded, manner.explain, held,
    )  # fmt: skip
    own = zip(new_ids(len(rows)), submissions, rows, strict=True)
    jobs = ((job, each, row.external_id, json.dumps(row.metadata), *same) for job, each, row in own)
    copy_rows(session, "job", JOB, jobs)
    return submissions
