"""`POST /v1/jobs` with a file. The API stores it as it came; a worker reads its text."""

from __future__ import annotations

from flask import Response, request

from api.errors import InvalidRequest, TooLarge, UnsupportedMediaType
from api.files import LONGEST_NAME, TAKEN, clean_name, form_fingerprint, kind_of, read_at_most, the_file
from api.form_fields import read_fields
from api.jobs import hand_in, new_job
from api.jobs import routes as routes
from api.routing import FORM, services
from api.schemas import JobSettings
from db.upload import NewFile

# For the fields beside the file.
ROOM = 256 * 1024


@routes.before_request
def _take_a_file() -> Response | None:
    """After the look at the body: a form does not reach the view, which takes JSON."""
    if (request.method, request.endpoint, request.mimetype) != ("POST", "jobs.submit_job", FORM):
        return None
    most = services().settings.max_file_bytes
    request.max_content_length = most + ROOM
    upload = the_file()
    name = clean_name(upload.filename or "")
    kind = kind_of(name, upload.mimetype)
    if kind is None:
        raise UnsupportedMediaType(f"Only {TAKEN} files can be read.")
    content = read_at_most(upload.stream, most)  # type: ignore[arg-type]  # werkzeug says IO[bytes]
    if content is None:
        raise TooLarge(f"The file is longer than {most:,} bytes.")
    if not content:
        raise InvalidRequest("The file is empty.", [{"loc": ["file"], "msg": "is empty"}])
    body = read_fields(JobSettings, {"external_id": name[:LONGEST_NAME], **request.form.to_dict()})
    return hand_in(body, new_job(body, NewFile(kind, content)), form_fingerprint())
