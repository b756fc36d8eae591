"""`POST /v1/batches` as JSON, NDJSON, CSV, or a form with such a file or a .zip: read from a temporary file row by row, and
written in pieces."""

from __future__ import annotations

from typing import BinaryIO

from flask import Response, request
from pydantic import ValidationError
from werkzeug.datastructures import FileStorage

from api.batch_bodies import STREAMED, BatchSettings, NewBatchBody, QuerySettings
from api.batch_readers import read_csv, read_items, read_ndjson, read_settings
from api.batch_rows import ReadRows
from api.batches import hand_in, is_hand_in
from api.batches import routes as routes
from api.errors import UnsupportedMediaType
from api.files import form_fingerprint, the_file
from api.form_fields import read_fields
from api.idempotency import digest_of_kind
from api.problems import invalid
from api.routing import FORM, services
from api.spool import spooled
from api.zipped import Zipped

ZIP, NDJSON, CSV = "application/zip", "application/x-ndjson", "text/csv"
READERS = {NDJSON: read_ndjson, CSV: read_csv}
ENDINGS = {".zip": ZIP, ".csv": CSV, ".ndjson": NDJSON, ".jsonl": NDJSON}


@routes.before_request
def _take_a_stream() -> Response | None:
    """After the look at the body, which does not reach the view: that would hold it whole."""
    if not is_hand_in():
        return None
    if request.mimetype not in STREAMED:
        return _items()
    return _form() if request.mimetype == FORM else _lines()


def _items() -> Response:
    digest = digest_of_kind()
    with spooled(digest) as file:
        try:
            settings = with_query(NewBatchBody.model_validate(read_settings(file, services().settings.max_batch_items)))
        except ValidationError as error:
            raise invalid(error) from error
        most = services().settings.max_batch_items
        rows = ReadRows(lambda: read_items(file), settings.prompt, most, in_items=True)
        return hand_in(settings, rows, rows.rejected, digest.digest())


def _lines() -> Response:
    settings, digest, read = _settings(), digest_of_kind(), READERS[request.mimetype]
    with spooled(digest) as file:
        rows = ReadRows(lambda: read(file), settings.prompt, services().settings.max_batch_items)
        return hand_in(settings, rows, rows.rejected, digest.digest())


def _form() -> Response:
    upload, most = the_file(), services().settings.max_batch_items
    kind, settings = _kind(upload), _settings()
    file: BinaryIO = upload.stream  # type: ignore[assignment]  # werkzeug says IO[bytes]
    read = _zipped(file).rows if kind == ZIP else lambda: READERS[kind](file)
    rows = ReadRows(read, settings.prompt, most)
    return hand_in(settings, rows, rows.rejected, form_fingerprint(), unread=kind == ZIP)


def _kind(upload: FileStorage) -> str:
    """The type of a class. As with single files: the name's ending says it, or else the part's type."""
    name = (upload.filename or "").lower()
    kind = next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), upload.mimetype)
    if kind not in ENDINGS.values():
        raise UnsupportedMediaType(
            "Send the files of a batch as one .zip, or its texts as one .csv, .ndjson or .jsonl."
        )
    return kind


def _zipped(file: BinaryIO) -> Zipped:
    limits = services().settings
    return Zipped(file, limits.max_batch_items, limits.max_file_bytes, limits.max_unzipped_bytes)


def _settings() -> BatchSettings:
    settings = query_settings()
    if request.mimetype == FORM:
        return read_fields(BatchSettings, {**request.args.to_dict(), **request.form.to_dict()})
    return settings


def query_settings() -> QuerySettings:
    """The settings in the query string."""
    return read_fields(QuerySettings, request.args.to_dict())


def with_query(body: NewBatchBody) -> NewBatchBody:
    """A body of JSON with the settings of the query string that it does not say itself."""
    beside = query_settings()
    return body.model_copy(update={n: getattr(beside, n) for n in beside.model_fields_set - body.model_fields_set})
