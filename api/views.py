"""From rows to bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from db.batches import BatchView
from db.finding import JobView
from db.job import Attempt
from db.worker import Worker


def job_body(view: JobView) -> dict[str, Any]:
    """The job object of the API."""
    job, result = view.job, view.result
    return {
        "id": str(job.id),
        "state": job.state,
        "rubric": {"id": str(view.rubric.id), "name": view.rubric.name, "version": view.rubric.version},
        "external_id": job.external_id,
        "batch_id": str(job.batch_id) if job.batch_id else None,
        "priority": job.priority,
        "device": job.device,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "erased_at": job.erased_at,
        "attempts": job.attempt,
        "cached": bool(result and result.cached),
        "degraded": bool(result and result.degraded),
        "scores": result.scores if result else None,
        "overall": result.overall if result else None,
        "advisories": result.advisories if result else [],
        "needs_review": bool(result and result.review_reasons),
        "review_reasons": result.review_reasons if result else [],
        "scored_by": result.scored_by if result else None,
        "timings": timings(view.attempt),
        "review": result.review if result else None,
        "appeal": {"at": result.appealed_at, "reason": view.appeal} if result and result.appeal_open else None,
        "error": job.error,
        "metadata": job.metadata_,
    }


def batch_body(view: BatchView) -> dict[str, Any]:
    """The batch object of the API."""
    batch, rubric, figures, eta = view.batch, view.rubric, view.figures, view.eta_s
    counts = {name: getattr(figures, name) for name in ("queued", "running", "succeeded", "failed", "cancelled")}
    return {
        "id": str(batch.id),
        "state": view.state,
        "rubric": {"id": str(rubric.id), "name": rubric.name, "version": rubric.version},
        "counts": {**counts, "total": batch.total},
        "eta_seconds": None if eta is None else round(eta, 1),
        "created_at": batch.created_at,
        "finished_at": view.finished_at,
        "cancelled_at": batch.cancelled_at,
        "baseline": {
            "mode": batch.baseline_mode,
            "state": batch.baseline_state,
            "calibration": str(batch.calibration_id) if batch.calibration_id else None,
            "reason": batch.baseline_reason,
        },
        "metadata": batch.metadata_,
    }


def timings(attempt: Attempt | None) -> dict[str, float | None]:
    """Milliseconds of the newest attempt; null what was not reached."""
    names = ("queue_ms", "tokenize_ms", "inference_ms", "persist_ms", "total_ms")
    values = {name: getattr(attempt, name, None) for name in names}
    return {name: None if value is None else round(value, 2) for name, value in values.items()}


def worker_bodies(children: Iterable[Worker]) -> list[dict[str, Any]]:
    """Children of one worker together, under its name."""
    workers: dict[str, dict[str, Any]] = {}
    for child in children:
        same = ("name", "host", "model", "revision", "engine", "device", "queues", "started_at")
        worker = workers.setdefault(child.name, {**{k: getattr(child, k) for k in same}, "children": []})
        worker["started_at"] = min(worker["started_at"], child.started_at)
        worker["children"].append({k: getattr(child, k) for k in ("pid", "rss_bytes", "seen_at")})
    return list(workers.values())


def model_bodies(children: Iterable[Worker]) -> list[dict[str, Any]]:
    """Each model that live workers hold, by revision, device and engine."""
    models: dict[tuple[str, ...], dict[str, Any]] = {}
    for child in children:
        same = ("model", "revision", "device", "engine", "window", "criteria", "head")
        key = (child.model, child.revision, child.device, child.engine)
        models.setdefault(key, {**{k: getattr(child, k) for k in same}, "workers": 0})["workers"] += 1
    return list(models.values())
