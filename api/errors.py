"""What can be wrong with a request."""

from __future__ import annotations

from typing import Any

from db.errors import GradelineError


class ApiError(GradelineError):
    """Base of the errors of a request; each is answered with a problem of its code."""

    code = "invalid_request"

    def __init__(self, detail: str, errors: list[dict[str, Any]] | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.errors, self.retry_after = errors or [], retry_after


class InvalidRequest(ApiError):
    """Raised when a request is well formed and asks for something that can't be."""


class Malformed(ApiError):
    """Raised when a body is not the JSON that it says it is."""

    code = "malformed"


class TooLarge(ApiError):
    """Raised when a request holds more than this server takes at once."""

    code = "too_large"


class UnsupportedMediaType(ApiError):
    """Raised when a body is of a type that the route does not read."""

    code = "unsupported_media_type"


class Unauthorized(ApiError):
    """Raised when no valid key came with a request."""

    code = "unauthorized"


class Forbidden(ApiError):
    """Raised when the key's scopes do not cover a request."""

    code = "forbidden"


class PreconditionFailed(ApiError):
    """Raised when what a request is about is no longer as its `If-Match` says."""

    code = "precondition_failed"


class RateLimited(ApiError):
    """Raised when a tenant asks for more than it may."""

    code = "rate_limited"


class Overloaded(ApiError):
    """Raised when more work waits than the operator allows."""

    code = "overloaded"


class Conflict(ApiError):
    """Raised when something can't be done as things are now."""

    code = "conflict"
