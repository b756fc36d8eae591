"""`POST /v1/jobs` with a file: stored as it came, read by nobody here."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from werkzeug.datastructures import FileStorage

from db import jobs
from db.submission import Submission
from db.upload import Upload
from tests.documents import word, zipped
from tests.unit.api.conftest import Api, send_form
from tests.unit.api.test_jobs import stored


def send(api, content=b"Text.", name="essay.txt", headers=None, **fields):
    return send_form(api, "/v1/jobs", {"file": (io.BytesIO(content), name), **fields}, headers)


def test_a_file_is_stored_with_the_fields_beside_it(api, app, database):
    content, own = word("Text."), {"criteria": [{"name": "Structure", "measures": "Structure", "max": 6}]}
    fields = {
        "prompt": "{The task}", "rubric": json.dumps(own), "explain": "true", "allow_degraded": "false", "priority": "bulk",
        "metadata": '{"a": [1]}', "external_id": "s-17", "device": "cpu", "model": "",
    }  # fmt: skip
    answer = send(api, content, "Mein Aufsatz.DOCX", **fields)
    job = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/jobs/{job['id']}"), answer.text
    assert (job["state"], job["external_id"], job["metadata"], job["device"]) == ("queued", "s-17", {"a": [1]}, "cpu")
    assert (job["priority"], job["rubric"]["name"][:6]) == ("bulk", "inline")
    assert api("GET", f"/v1/jobs/{job['id']}").json == job
    tenant = app.extensions["gradeline"].keys.caller(api.key).tenant_id
    with database.session() as session:
        found = jobs.owned(session, tenant, uuid.UUID(job["id"]))
        kept, text = session.get_one(Upload, found.submission_id), session.get_one(Submission, found.submission_id)
        assert (kept.kind, kept.content, text.text, text.prompt) == ("docx", content, "", "{The task}")
        assert (found.explain, found.allow_degraded) == (True, False)


@pytest.mark.parametrize(
    ("at", "file"), [("/v1/jobs", (b"Text.", "essay.txt")), ("/v1/batches", (zipped({"a.txt": b"Text."}), "class.zip"))]
)
def test_the_form_of_the_docs_is_taken_as_it_stands_once_a_file_is_chosen(api, at, file):
    """The page begins each field with the first of its examples, and makes up words where there is none."""
    form = api("GET", "/openapi.json").json["paths"][at]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    begun = {name: field["examples"][0] for name, field in form["properties"].items() if name != "file"}
    words = {name: value if isinstance(value, str) else json.dumps(value) for name, value in begun.items()}
    assert words["rubric"] == "default" and {words[name] for name in ("prompt", "model", "callback_url")} == {""}
    answer = send_form(api, at, {"file": (io.BytesIO(file[0]), file[1]), **words})
    assert (answer.status_code, answer.json["rubric"]["name"], answer.json["metadata"]) == (202, "default", {}), (
        answer.text
    )


def test_a_file_without_an_external_id_goes_by_its_name(api):
    assert send(api, name="anna.txt").json["external_id"] == "anna.txt"


def test_a_name_keeps_the_joiners_of_its_characters_and_loses_what_turns_or_hides_text(api):
    for name in ("👩\u200d👩\u200d👧.txt", "نامه\u200cها.txt", "क\u200dष.txt"):
        assert send(api, name=name).json["external_id"] == name
    assert send(api, name="a\u202etxt\u2066\u200b\x7f.txt").json["external_id"] == "atxt.txt"


@pytest.mark.parametrize(
    ("name", "kind"), [("essay", "text/plain"), ("essay.text", "text/plain"), ("a.md", "image/png")]
)
def test_a_file_whose_name_says_nothing_is_of_the_kind_that_its_part_says(api, name, kind):
    part = FileStorage(io.BytesIO(b"Text."), filename=name, content_type=kind)
    assert send_form(api, "/v1/jobs", {"file": part}).status_code == 202


BAD = [
    ("no file", {"file": None}, 422, "invalid_request"),
    ("an empty file", {"content": b""}, 422, "invalid_request"),
    ("an unknown kind", {"name": "a.exe"}, 415, "unsupported_media_type"),
    ("no kind", {"name": "essay"}, 415, "unsupported_media_type"),
    ("an old .doc", {"name": "a.doc"}, 415, "unsupported_media_type"),
    ("a text beside it", {"text": "Another."}, 422, "invalid_request"),
    ("an unknown field", {"colour": "red"}, 422, "invalid_request"),
    ("an odd boolean", {"explain": "maybe"}, 422, "invalid_request"),
    ("metadata that is no JSON", {"metadata": "{"}, 422, "invalid_request"),
    ("an unknown rubric", {"rubric": "nope"}, 422, "invalid_request"),
    ("a file that is too long", {"content": b"a" * (10 * 2**20 + 1)}, 413, "too_large"),
    ("a body that is much too long", {"content": b"a" * (11 * 2**20)}, 413, "too_large"),
]


@pytest.mark.parametrize(("what", "fields", "status", "code"), BAD, ids=[case[0] for case in BAD])
def test_what_can_not_be_taken_is_refused_and_nothing_is_stored(api, database, what, fields, status, code):
    before = stored(database)
    if "file" in fields:
        answer = api("POST", "/v1/jobs", data={"prompt": "x"}, content_type="multipart/form-data")
    else:
        answer = send(api, **fields)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert stored(database) == before


def test_the_same_file_with_the_same_key_is_one_job(api, database):
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, before = send(api, headers=key, prompt="x"), stored(database)
    again = send(api, headers=key, prompt="x")
    assert (again.json["id"], again.headers["Idempotency-Replayed"]) == (first.json["id"], "true")
    for other in ({"content": b"Other."}, {"prompt": "y"}, {"name": "other.txt"}):
        assert send(api, headers=key, **{"prompt": "x", **other}).json["code"] == "idempotency_mismatch"
    assert stored(database) == before


def test_a_reader_hands_in_no_file(app, make_key, database):
    before = stored(database)
    assert send(Api(app.test_client(), make_key("read"))).status_code == 403
    assert stored(database) == before


def test_a_form_cancels_and_retries_nothing(api):
    answer = api("POST", "/v1/jobs/retry", data={"limit": "1"}, content_type="multipart/form-data")
    assert answer.status_code == 415
