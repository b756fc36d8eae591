"""What can go wrong in a worker."""

from __future__ import annotations

from db.errors import GradelineError


class WorkerError(GradelineError):
    """Base of the errors of a worker; their messages are shown to callers and never quote a student's text."""


class ModelUnavailable(WorkerError):
    """Raised when a model can't be loaded, or no head has been fitted for it."""


class EngineFailed(WorkerError):
    """Raised when a loaded model could not compute."""


class Unscorable(WorkerError):
    """Raised when a text can't be scored by the rubric it came with."""
