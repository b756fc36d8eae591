"""Why an attempt did not end: as the API shows it, and whether the job may be to blame."""

from __future__ import annotations

from typing import Any

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded

from db.errors import DatabaseAway


def _problem(code: str, title: str, detail: str) -> dict[str, Any]:
    return {"type": f"urn:gradeline:problem:{code}", "title": title, "status": 500, "code": code, "detail": detail}


TIMED_OUT = _problem(
    "timed_out", "The attempt took too long", "The worker could not finish this job in the time that a chunk may take."
)
OUT_OF_MEMORY = _problem(
    "out_of_memory",
    "The memory did not suffice",
    "The worker ran out of memory over this, as often as attempts are allowed.",
)
BROKE_OFF = _problem("internal", "The attempt broke off", "Something went wrong in the worker; it logged what.")
NOT_REACHED = _problem(
    "not_reached",
    "The file was not reached",
    "Other files of the chunk took long to read; it is read with the next chunk.",
)
NOT_KEPT = _problem(
    "not_kept",
    "The result could not be kept",
    "The database was away for longer than a chunk may take; it is graded again.",
)
STOPPED = _problem("worker_stopped", "The worker was stopped", "The worker was told to stop before this was done.")
CODES = tuple(str(each["code"]) for each in (TIMED_OUT, OUT_OF_MEMORY, BROKE_OFF, NOT_REACHED, NOT_KEPT, STOPPED))


def reason(error: BaseException) -> dict[str, Any]:
    """Why an attempt did not end, as the API shows it."""
    if isinstance(error, SoftTimeLimitExceeded | TimeLimitExceeded):
        return TIMED_OUT
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, DatabaseAway):
        return NOT_KEPT
    return BROKE_OFF if counts(error) else STOPPED


def counts(error: BaseException) -> bool:
    """Whether the job may be to blame. Being told to stop is no fault of it, nor is a database that is away."""
    return isinstance(error, Exception) and not isinstance(error, DatabaseAway)
