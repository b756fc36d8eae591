"""`GET /v1/batches/{id}/results`: all jobs of a batch, page after page out of the database and on to the caller."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from api import result_files
from api.auth import allow
from api.batch_bodies import BatchPath
from api.batch_streams import routes as routes
from api.routing import WRONG, read_id, services
from api.views import batch_body, job_body
from db import batches
from db.batches import BatchView
from db.errors import BatchNotFound
from db.finding import JobView, batch_jobs
from db.session import Database

PAGE = 200
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ResultsQuery(BaseModel):
    """How the results are written."""

    model_config = ConfigDict(extra="forbid")
    format: Literal["json", "ndjson", "csv", "xlsx"] = "json"


@routes.get("/<batch_id>/results", responses={200: None, **WRONG})
def get_results(path: BatchPath, query: ResultsQuery) -> Response:
    """Read what has become of every text of a batch, in the order of its rows

    `json`: `{"batch", "items"}` with the job objects; `ndjson`: a job object a line; `csv` and `xlsx`: a row a text, with each
    criterion's score, interval and level, what to look at, and why there is none; then what people decided: `<name>_reviewed`
    is a person's points, `<name>_final` those or else the machine's (so too `overall_reviewed`, `overall_final`), with
    `<name>_feedback`, `review_comment`, `reviewed_by` and `reviewed_at`. Texts that wait have no scores yet, and rows with
    `erased_at` may have none any more. In tables, a cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    caller, database = allow("read"), services().database
    batch_id = read_id(path.batch_id, BatchNotFound("there is no batch with this id"))
    with database.session() as session:
        view = batches.find_batch(session, caller.tenant_id, batch_id)
    response = WRITERS[query.format](view, _jobs(database, caller.tenant_id, batch_id))
    if query.format in ("csv", "xlsx"):
        response.headers["Content-Disposition"] = f'attachment; filename="batch-{batch_id}.{query.format}"'
    return response


def _jobs(database: Database, tenant_id: uuid.UUID, batch_id: uuid.UUID) -> Iterator[JobView]:
    """Page after page: no connection is held while a slow caller reads."""
    last: uuid.UUID | None = None
    while True:
        with database.statement() as session:
            page = batch_jobs(session, tenant_id, batch_id, last, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        last = page[-1].job.id


def _json(view: BatchView, jobs: Iterator[JobView]) -> Response:
    def pieces() -> Iterator[bytes]:
        yield b'{"batch":' + to_json(batch_body(view)) + b',"items":['
        for number, job in enumerate(jobs):
            yield (b"," if number else b"") + to_json(job_body(job))
        yield b"]}"

    return Response(_gathered(pieces()), mimetype="application/json")


def _ndjson(_: BatchView, jobs: Iterator[JobView]) -> Response:
    return Response(_gathered(to_json(job_body(job)) + b"\n" for job in jobs), mimetype="application/x-ndjson")


def _csv(view: BatchView, jobs: Iterator[JobView]) -> Response:
    criteria = view.rubric.criteria
    rows = (result_files.row(job, criteria) for job in jobs)
    return Response(result_files.as_csv(result_files.columns(criteria), rows), mimetype="text/csv")


def _xlsx(view: BatchView, jobs: Iterator[JobView]) -> Response:
    criteria = view.rubric.criteria
    rows = (result_files.row(job, criteria) for job in jobs)
    file = result_files.as_xlsx(result_files.columns(criteria), rows)
    return Response(_pieces_of(file), mimetype=XLSX)


WRITERS: dict[str, Callable[[BatchView, Iterator[JobView]], Response]] = {
    "json": _json, "ndjson": _ndjson, "csv": _csv, "xlsx": _xlsx,
}  # fmt: skip


def _pieces_of(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(result_files.PIECE):
            yield piece


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces of a size that is worth sending."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= result_files.PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)
