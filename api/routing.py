"""What routes have in common: what the document says of them, the services behind them, ids, models and answers."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from flask import Response, current_app
from pydantic import BaseModel
from pydantic_core import to_json

from api.errors import InvalidRequest
from api.problems import Problem
from api.services import Services
from db.base import is_id
from db.errors import GradelineError, JobNotFound

KEY: list[dict[str, list[Any]]] = [{"key": []}]
WRONG: dict[str | int, type[BaseModel] | dict[Any, Any] | None] = {
    422: Problem,
    401: Problem,
    403: Problem,
    404: Problem,
    429: Problem,
    503: Problem,
}
FORM = "multipart/form-data"
SUBMIT_WRONG = {400: Problem, 409: Problem, 413: Problem, 415: Problem, **WRONG}


def services() -> Services:
    """What the routes of this app work with."""
    found: Services = current_app.extensions["gradeline"]
    return found


def answer(body: dict[str, Any], status: int = 200) -> Response:
    """A JSON answer; pydantic's encoder writes times as ISO 8601."""
    return Response(to_json(body), status, mimetype="application/json")


def tagged(body: dict[str, Any], status: int = 200) -> Response:
    """A JSON answer with an `ETag`, which is the same whenever the answer says the same.

    PostgreSQL keeps objects in an order of its own, and writes numbers in its own way: what was just sent and what is read
    again differ in both.
    """
    response = answer(body, status)
    same = json.loads(response.get_data(), parse_float=_number, parse_int=_number)
    response.set_etag(hashlib.sha1(json.dumps(same, sort_keys=True).encode(), usedforsecurity=False).hexdigest())
    return response


def _number(written: str) -> float:
    return float(written) + 0.0  # -0.0 becomes 0.0


def read_id(text: str, missing: GradelineError | None = None) -> uuid.UUID:
    """The id in an address. Anything that can't be one is a job (or what `missing` says) that does not exist."""
    if not is_id(text):
        raise missing or JobNotFound("there is no job with this id")
    return uuid.UUID(text)


def offered_model(wanted: str | None) -> str:
    """The model that is asked for, or the first that this server offers; InvalidRequest with the list for another."""
    offered = services().settings.offered
    model = wanted or offered[0]
    if model not in offered:
        message = f"this server does not offer the model; it offers {', '.join(offered)}"
        raise InvalidRequest(f"{message[0].upper()}{message[1:]}.", [{"loc": ["model"], "msg": message}])
    return model
