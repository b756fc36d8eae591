"""What a worker tells of a chunk when it is written: a line for each job, and spans where something is traced."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping

from broker.logs import tell_of_back
from broker.traces import Traces, trace_id
from db.work import Claimed, Finished
from worker.metrics import Chunk, counted

log = logging.getLogger(__name__)


@dataclass
class Course:
    """When a chunk was where, by `time.perf_counter`. `sent` is the span of whoever sent its message."""

    queue: str
    sent: str | None
    began: float
    counting: Chunk
    zero: float = field(default_factory=lambda: time.time() - time.perf_counter())
    claimed: float = 0.0
    marked: float = 0.0
    writing: float = 0.0
    written: float = 0.0

    def at(self, moment: float) -> float:
        """A moment in seconds since the epoch."""
        return self.zero + moment


def gave_back(back: Sequence[RowMapping], code: str) -> None:
    """Attempts that ended without a result: a line each, and counted."""
    tell_of_back(back, code)
    counted().lose(code, len(back))


def ids_of(job: Claimed) -> dict[str, Any]:
    """The fields by which a job's lines are found."""
    return {
        "request_id": job.request_id, "trace_id": trace_id(job.traceparent), "job": job.id, "batch": job.batch_id,
        "attempt": job.attempt,
    }  # fmt: skip


def tell(held: Sequence[Claimed], finished: Sequence[Finished], kept: Collection[uuid.UUID], course: Course) -> None:
    """A line for each job: what came of it, by what, and how long its chunk took from the claim on."""
    jobs = {job.id: job for job in held}
    same = {"queue": course.queue, "ms": round((course.written - course.began) * 1000, 1)}
    for each in finished:
        # Cancelled, or taken from this worker, meanwhile.
        outcome = "came too late" if each.job_id not in kept else "failed" if each.error else "graded"
        log.info(outcome, extra={**ids_of(jobs[each.job_id]), **same, **_of_run(each)})


def _of_run(each: Finished) -> dict[str, Any]:
    run, result = each.run, each.result or {}
    return {
        "code": each.error["code"] if each.error else None,
        "model": run.get("model"),
        "engine": run.get("engine"),
        "device": run.get("device"),
        "tokens": run.get("tokens"),
        "degraded": result.get("degraded") or None,
        "cached": result.get("cached") or None,
    }


def trace(
    traces: Traces, worker: str, held: Sequence[Claimed], finished: Sequence[Finished], kept: Collection[uuid.UUID],
    course: Course,
) -> None:  # fmt: skip
    """The chunk with its stages, below the message that brought it; and in the trace of each job's request a span of that
    job, linked with its chunk. A chunk holds jobs of many requests, so it can't be part of the trace of one.

    All at once, when the chunk is written: the thread that computes makes no span.
    """
    if not traces.on:
        return
    of_requests = [job.traceparent for job in held if job.traceparent]
    about = {"gradeline__worker": worker, "gradeline__queue": course.queue}
    chunk = traces.begin(
        f"grade {course.queue}", "consumer", course.sent, of_requests, course.at(course.began), **about,
        gradeline__jobs=len(held),
    )  # fmt: skip
    tokenized = course.claimed + max((each.run.get("tokenize_ms") or 0.0 for each in finished), default=0.0) / 1000
    for stage, began, ended in (
        ("load", course.began, course.claimed),
        ("tokenize", course.claimed, tokenized),
        ("compute", tokenized, course.marked),
        ("write", course.writing, course.written),
    ):
        traces.begin(stage, parent=chunk.traceparent, at=course.at(began)).end(at=course.at(max(began, ended)))
    results = {each.job_id: each for each in finished}
    linked = [chunk.traceparent] if chunk.traceparent else []
    for job in held:
        if job.traceparent and job.id in results:
            _trace_one(traces, job, results[job.id], linked, job.id in kept, course, about)
    chunk.end(at=course.at(course.written))


def _trace_one(
    traces: Traces, job: Claimed, result: Finished, linked: Sequence[str], kept: bool, course: Course,
    about: dict[str, str],
) -> None:  # fmt: skip
    of_job = {
        "gradeline__job__id": job.id, "gradeline__batch__id": job.batch_id, "gradeline__attempt": job.attempt,
        "gradeline__request_id": job.request_id, "gradeline__model": result.run.get("model"), "gradeline__kept": kept,
    }  # fmt: skip
    span = traces.begin("grade", "consumer", job.traceparent, linked, course.at(course.began), **about, **of_job)
    span.end(at=course.at(course.written), failed=str(result.error["code"]) if result.error else "")
