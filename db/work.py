"""What is known of a job on its way: what a caller asked for, what a worker holds, and what came of it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from db.upload import NewFile


@dataclass(frozen=True)
class Origin:
    """The request that jobs came with: its id, and its span as a W3C `traceparent` where requests are traced."""

    request_id: str | None = None
    traceparent: str | None = None


NO_ORIGIN = Origin()


@dataclass(frozen=True)
class NewJob:
    """What a caller asked for, validated. A job with a file has no text yet."""

    text: str
    model: str
    device: str
    priority: str
    queue: str
    prompt: str | None = None
    external_id: str | None = None
    callback_url: str | None = None
    allow_degraded: bool = True
    explain: bool = False
    batch_id: uuid.UUID | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    file: NewFile | None = None
    origin: Origin = NO_ORIGIN


@dataclass(frozen=True)
class Claimed:
    """A job that a worker now holds, with all it needs to grade it. `prompt` is the job's, or else the rubric's."""

    id: uuid.UUID
    attempt: int
    allow_degraded: bool
    explain: bool
    text: str
    prompt: str | None
    rubric_id: uuid.UUID
    criteria: list[dict[str, Any]]
    calibration_id: uuid.UUID | None = None  # the one that the rubric uses now
    vector: bytes | None = None  # kept from an earlier run with this worker's encoder: no forward pass is needed
    surface: bytes | None = None  # the surface features that were kept with it
    topic: list[float] | None = None  # a regrade's: the prompt features and the mark of their centre
    advisories: list[dict[str, str]] | None = None  # a regrade's: what was remarked of the text before
    known: dict[str, Any] | None = None  # the whole result of the same text, rubric version, head and revision
    batch_id: uuid.UUID | None = None
    request_id: str | None = None  # of the request that it came with, as is the next
    traceparent: str | None = None
    upload_id: uuid.UUID | None = None  # a file's, whose text must be read first (`db/upload.py`)
    kind: str | None = None  # of that file
    queue_ms: float = 0.0  # it has waited so long


@dataclass(frozen=True)
class Finished:
    """What came of one attempt: either a `result` (the columns of its table) or an `error` (a problem)."""

    job_id: uuid.UUID
    attempt: int
    run: dict[str, Any]
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    vector: bytes | None = None
    surface: bytes | None = None


@dataclass(frozen=True)
class Scorer:
    """What a worker scores with. Results and vectors that the same made before are used again."""

    model: str = ""
    revision: str = ""
    engine: str = ""
    head: str = ""
    reuse: bool = False  # those of other submissions of the tenant with the same text, too
