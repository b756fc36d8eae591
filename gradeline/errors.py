"""What can go wrong on this side of HTTP. Each message is one line that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ClientError(Exception):
    """Base of the errors of the command and the client."""


class ApiProblem(ClientError):
    """Raised when the API answers with a problem. `errors` are its findings, `{"loc", "msg"}` each."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(f"{detail} ({code}, {status})")
        self.status, self.code, self.detail, self.errors = status, code, detail, list(errors)


class Unreachable(ClientError):
    """Raised when no API answers at the address."""


class StackError(ClientError):
    """Raised when the embedded stack can't do what was asked of it."""
