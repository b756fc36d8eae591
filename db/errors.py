"""The one error tree. Every layer adds its own branches; the API maps them to problems in one table."""

from __future__ import annotations


class GradelineError(Exception):
    """Base of every error that Gradeline raises on purpose."""


class JobNotFound(GradelineError):
    """Raised when the tenant has no job with the given id."""


class RubricNotFound(GradelineError):
    """Raised when no rubric visible to the tenant has the given name, version or id."""


class CalibrationNotFound(GradelineError):
    """Raised when a rubric of the tenant has no calibration with the given id."""


class BatchNotFound(GradelineError):
    """Raised when the tenant has no batch with the given id."""


class DeliveryNotFound(GradelineError):
    """Raised when the tenant has no webhook delivery with the given id."""


class IllegalMove(GradelineError):
    """Raised when a job in its present state can't do what was asked of it."""


class TenantNotFound(GradelineError):
    """Raised when there is no tenant, or no key, of the given name."""


class LeaseGone(GradelineError):
    """Raised when a lease on a review ran out, or is somebody else's."""


class BadCursor(GradelineError):
    """Raised when a list cursor was not made by this API."""


class KeyInFlight(GradelineError):
    """Raised when the first request with an idempotency key is still being carried out."""


class KeyMismatch(GradelineError):
    """Raised when an idempotency key comes again with another request."""


class DatabaseAway(GradelineError):
    """Raised when PostgreSQL can't be reached, or can't carry a transaction out now: the same again may go."""


class TookTooLong(GradelineError):
    """Raised when a statement was given up because its time was over."""
