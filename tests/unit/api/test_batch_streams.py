"""Batches as NDJSON, CSV and .zip are answered like those of JSON; nobody grades here."""

from __future__ import annotations

import io
import json
import re
import struct
import uuid
import zipfile

import httpx
import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from api.app import create_app
from api.settings import ApiSettings
from db.job import Job
from db.submission import Submission
from db.upload import Upload
from tests.documents import pdf, word, zipped
from tests.unit.api.conftest import Api, send_form
from tests.unit.api.test_jobs import stored

NDJSON, CSV = "application/x-ndjson", "text/csv"


def lines(*items):
    return "\n".join(json.dumps(item) for item in items).encode()


def send(api, kind, body, query="", **headers):
    return api("POST", f"/v1/batches{query}", data=body, content_type=kind, headers=headers)


def send_zip(api, files, name="class.zip", headers=None, **fields):
    content = files if isinstance(files, bytes) else zipped(files)
    return send_form(api, "/v1/batches", {"file": (io.BytesIO(content), name), **fields}, headers)


def texts(database, batch):
    """Texts, prompts, external ids and metadata in the order of the rows."""
    with database.session() as session:
        rows = session.execute(
            select(Submission.text, Submission.prompt, Job.external_id, Job.metadata_)
            .join(Submission, Submission.id == Job.submission_id)
            .where(Job.batch_id == uuid.UUID(batch["id"]))
            .order_by(Job.id)
        )
        return [tuple(row) for row in rows]


def test_lines_of_json_are_a_batch_with_the_settings_of_the_query(api, database):
    body = lines({"text": "One.", "external_id": "a"}, {"text": "Two.", "prompt": "Own?", "metadata": {"n": 1}})
    answer = send(
        api, NDJSON, body + b"\n\n", "?prompt=Shared%3F&explain=true&device=cpu&metadata=%7B%22term%22%3A1%7D"
    )
    batch = answer.json
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/batches/{batch['id']}"), answer.text
    assert (batch["counts"]["total"], batch["rejected"], batch["metadata"]) == (2, [], {"term": 1})
    assert texts(database, batch) == [("One.", "Shared?", "a", {}), ("Two.", "Own?", None, {"n": 1})]
    assert {(job["device"], job["priority"]) for job in api("GET", f"/v1/jobs?batch={batch['id']}").json["items"]} == {
        ("cpu", "bulk")
    }


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_columns_of_a_csv_that_are_not_ours_become_metadata(api, database, separator):
    header = "\ufeffexternal_id,text,prompt,group,empty"
    rows = ['s-1,"Größe, ""quoted"",\nsecond line.",,A,', ",Two.,Own?,B,", ",,,,"]
    body = "\r\n".join([header, *rows]).replace(",", separator).replace(f"Größe{separator}", "Größe,")
    batch = send(api, CSV, body.encode(), "?prompt=Shared%3F").json
    first = texts(database, batch)[0]
    assert first[0].startswith('Größe, "quoted"') and first[1:] == ("Shared?", "s-1", {"group": "A"})
    assert texts(database, batch)[1:] == [("Two.", "Own?", None, {"group": "B"})]


def test_bad_rows_of_lines_and_of_a_csv_are_named_by_number(api, database):
    body = lines({"text": "Good."}) + b'\n{"text": \n"no object"\n\xff\n' + lines({"text": ""}, {"text": "Good too."})
    batch = send(api, NDJSON, body).json
    assert [each["row"] for each in batch["rejected"]] == [2, 3, 4, 5]
    assert "not valid JSON" in batch["rejected"][0]["problem"]["detail"]
    assert [text for text, *_ in texts(database, batch)] == ["Good.", "Good too."]
    batch = send(api, CSV, b"text,group\nGood.,A\n,B\nSecret.,C,too many\nGood too.\n").json
    assert [each["row"] for each in batch["rejected"]] == [2, 3]
    assert batch["counts"]["total"] == 2 and "Secret" not in json.dumps(batch)


def test_blank_lines_and_rows_count_and_are_no_rows(api):
    batch = send(api, NDJSON, lines({"text": "a"}) + b"\n\n  \nnot json\n").json
    assert (batch["counts"]["total"], [each["row"] for each in batch["rejected"]]) == (1, [4])
    batch = send(api, CSV, b"text,id\na,1\n\n,\n,4\nb,5\n").json
    assert (batch["counts"]["total"], [each["row"] for each in batch["rejected"]]) == (2, [4])


def test_a_batch_without_a_good_row_names_rows_of_a_file_by_their_number_and_items_by_their_place(api):
    for kind, body, places in (
        (NDJSON, b"\n[]\n{}\n", [["row", 2], ["row", 3]]),
        (CSV, b"text,id\n,1\n\n,3\n", [["row", 1], ["row", 3]]),
        ("application/json", b'{"items": [1, {}]}', [["items", 0], ["items", 1]]),
    ):
        assert [each["loc"] for each in send(api, kind, body).json["errors"]] == places


def test_an_empty_text_that_is_the_only_cell_of_its_row_is_refused_by_name(api):
    for body in (b'text\na\n""\nb\n', b'text,id\na,1\n""\nb,3', b"text\r\na\r\n  \r\nb"):
        batch = send(api, CSV, body).json
        assert (batch["counts"]["total"], [each["row"] for each in batch["rejected"]]) == (2, [2])


UNCLOSED = ['"s2,text2\ns3,text3\n', '"\ns3,text3\n', '"text2\ns3,"text3"\n', '"text2\n"s3","text3"\n"s4","text4"\n']


@pytest.mark.parametrize("rest", UNCLOSED)
def test_a_quote_that_is_not_closed_makes_no_two_students_one(api, database, rest):
    before = stored(database)
    answer = send(api, CSV, f'external_id,text\ns0,"two\nlines"\n\ns2,{rest}'.encode())
    assert answer.status_code == 422 and stored(database) == before
    assert answer.json["detail"].startswith("Line 5: ") and "quote is not closed" in answer.json["detail"]
    assert answer.json["errors"][0]["loc"] == ["line", 5]


def test_quotes_as_spreadsheets_and_people_write_them_are_read(api, database):
    rows = [
        '"one","He said ""no"", twice."',
        'two,A 5" screen and a "word".',
        '"","two\r\nlines"',
        'four,"A ""quote"""',
    ]
    batch = send(api, CSV, "\r\n".join(["external_id,text", *rows]).encode()).json
    assert [text for text, *_ in texts(database, batch)] == [
        'He said "no", twice.', 'A 5" screen and a "word".', "two\r\nlines", 'A "quote"',
    ]  # fmt: skip


def test_a_header_of_two_lines_says_its_separator_too(api, database):
    batch = send(api, CSV, b'"two\nlines";"text ";note\n1;One, and more.;2\n').json
    assert texts(database, batch)[0][0] == "One, and more."


def test_a_table_of_too_many_texts_is_refused(api):
    answer = send(api, CSV, b"text\n" + b"a\n" * 10_001)
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_why_a_row_is_refused_is_said_in_plain_words(api):
    batch = send(api, NDJSON, b'{"text": " "}\n{"text": "\\ud800"}\n{"text": "Good."}\n').json
    said = [each["problem"]["detail"] for each in batch["rejected"]]
    assert said == ["text: The text is empty.", "text: A lone surrogate is not allowed: the text is not valid Unicode."]


def test_a_line_that_is_too_long_sinks_no_other(api):
    body = lines({"text": "a" * (5 * 2**20)}, {"text": "Good."})
    batch = send(api, NDJSON, body).json
    assert (batch["counts"]["total"], [each["row"] for each in batch["rejected"]]) == (1, [1])


BAD = [
    ("an empty body", NDJSON, b"", 422, "invalid_request"),
    ("no good line", NDJSON, b'{"text": ""}', 422, "invalid_request"),
    ("no column text", CSV, b"essay,id\na,b\n", 422, "invalid_request"),
    ("a column twice", CSV, b"text,a,a\nx,y,z\n", 422, "invalid_request"),
    ("a CSV that is not UTF-8", CSV, b"text\nGr\xf6\xdfe\n", 422, "invalid_request"),
    ("a quote that never ends", CSV, b'text\n"' + b"a" * 1_100_000, 422, "invalid_request"),
    ("10,001 lines", NDJSON, b'{"text":"a"}\n' * 10_001, 413, "too_large"),
    ("another type", "application/xml", b"<a/>", 415, "unsupported_media_type"),
]


@pytest.mark.parametrize(("what", "kind", "body", "status", "code"), BAD, ids=[case[0] for case in BAD])
def test_what_can_not_be_a_batch_is_refused_and_nothing_is_stored(api, database, what, kind, body, status, code):
    before = stored(database)
    answer = send(api, kind, body)
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert stored(database) == before


def test_a_prompt_of_the_query_may_be_long(serve, make_key):
    headers = {"Authorization": f"Bearer {make_key()}", "Content-Type": NDJSON}
    with httpx.Client(base_url=serve().url, headers=headers, timeout=60) as http:
        for long, status in ((4000, 202), (4001, 422)):
            asked = http.post("/v1/batches", params={"prompt": "a" * long}, content=lines({"text": "A text."}))
            assert asked.status_code == status, asked.text


@pytest.mark.parametrize(
    "query", ["?colour=red", "?explain=maybe", "?metadata=%7B", "?rubric=nope", "?items=1", "?device=x"]
)
def test_settings_that_can_not_be_are_refused(api, database, query):
    before = stored(database)
    answer = send(api, NDJSON, lines({"text": "a"}), query)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert stored(database) == before


def test_a_body_that_does_not_say_its_length_is_not_read_past_the_limit(servers, make_key):
    settings = ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url, max_upload_bytes=2048)
    app = create_app(settings)
    api = Api(app.test_client(), make_key())
    long = lines({"text": "a" * 3000})
    for options in (
        {"data": long},
        {"input_stream": io.BytesIO(long), "environ_overrides": {"wsgi.input_terminated": True}},
    ):
        answer = api("POST", "/v1/batches", content_type=NDJSON, **options)
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    app.extensions["gradeline"].database.close()


def test_a_baseline_is_made_of_lines_as_of_items(api):
    api("POST", "/v1/rubrics", json={"name": "essay", "criteria": [{"name": "Structure", "min": 0, "max": 6}]})
    body = lines(*({"text": f"Text {n}."} for n in range(20)))
    assert send(api, NDJSON, body, "?rubric=essay&baseline=auto").json["baseline"]["state"] == "making"


@pytest.mark.parametrize("kind", [NDJSON, CSV, "zip"])
def test_the_same_batch_with_the_same_key_is_made_once(api, database, kind):
    key = {"Idempotency-Key": uuid.uuid4().hex}
    bodies = {NDJSON: (lines({"text": "a"}), lines({"text": "b"})), CSV: (b"text\na\n", b"text\nb\n")}
    archives = zipped({"a.txt": b"a"}), zipped({"a.txt": b"b"})  # made once: they hold the time at which they were made

    def hand_in(other):
        if kind == "zip":  # each time with a boundary of its own
            return send_zip(api, archives[other], headers=key)
        return send(api, kind, bodies[kind][other], **key)

    first, before = hand_in(False), stored(database)
    again = hand_in(False)
    assert (first.status_code, again.status_code, again.json["id"]) == (202, 202, first.json["id"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert hand_in(True).json["code"] == "idempotency_mismatch"
    assert stored(database) == before


def test_a_zip_is_a_batch_of_its_files_and_bad_ones_are_named(api, database):
    files = {
        "class/anna.txt": b"Text.", "class/ben.docx": word("Text."), "class/carl.pdf": pdf(["Text."]),
        "class/dora/essay.md": b"# Text", "class/evil.exe": b"MZ", "class/empty.txt": b"",
        "__MACOSX/class/._anna.txt": b"junk", "class/.DS_Store": b"junk", "class/Thumbs.db": b"junk",
    }  # fmt: skip
    answer = send_zip(api, files, prompt="The task?", explain="true")
    batch = answer.json
    assert answer.status_code == 202, answer.text
    names = ["anna.txt", "ben.docx", "carl.pdf", "dora/essay.md"]
    assert texts(database, batch) == [("", "The task?", name, {}) for name in names]
    assert [(each["row"], each["problem"]["errors"][0]["loc"]) for each in batch["rejected"]] == [
        (5, ["evil.exe"]), (6, ["empty.txt"]),
    ]  # fmt: skip
    assert "only .txt, .md, .docx, .pdf" in batch["rejected"][0]["problem"]["detail"]
    with database.session() as session:
        of_batch = select(Upload.kind, Upload.content).join(Job, Job.submission_id == Upload.submission_id)
        kept = session.execute(of_batch.where(Job.batch_id == uuid.UUID(batch["id"])).order_by(Job.id)).all()
    assert [row.kind for row in kept] == ["txt", "docx", "pdf", "md"] and kept[1].content == files["class/ben.docx"]


def test_names_of_a_zip_keep_the_joiners_of_their_characters(api, database):
    batch = send_zip(
        api, {"👩\u200d👩\u200d👧.txt": b"Text.", "نامه\u200cها.txt": b"Text.", "a\u202eb.txt": b"Text."}
    ).json
    assert [name for *_, name, _ in texts(database, batch)] == ["👩\u200d👩\u200d👧.txt", "نامه\u200cها.txt", "ab.txt"]


def test_a_zip_can_be_named_as_a_cohort_when_it_was_read_and_makes_no_baseline_before(api):
    api("POST", "/v1/rubrics", json={"name": "zip", "criteria": [{"name": "Structure", "min": 0, "max": 6}]})
    files = {f"{n}.txt": b"Text." for n in range(20)}
    batch = send_zip(api, files, rubric="zip", baseline="auto").json
    assert batch["baseline"]["state"] == "skipped" and "read when they are graded" in batch["baseline"]["reason"]
    answer = api("POST", "/v1/rubrics/zip/calibrations", json={"cohort": {"batch": batch["id"]}})
    assert answer.status_code == 422 and "files that no worker has read yet: 20" in answer.json["detail"]


@pytest.mark.parametrize("name", ["../up.txt", "/etc/root.txt", "a/../../b.txt", "C:/x.txt", "..\\up.txt"])
def test_a_name_that_leads_out_of_the_zip_is_refused(api, name):
    batch = send_zip(api, {"good.txt": b"Text.", name: b"Text."}).json
    assert batch["counts"]["total"] == 1
    assert "leads out" in batch["rejected"][0]["problem"]["detail"]


def crowded(count):
    """A .zip that lists one file many times."""
    whole = zipped({"a.txt": b"a"})
    start = whole.index(b"PK\x01\x02")
    entry, end = whole[start:-22], whole[-22:]
    size = len(entry) * count
    return whole[:start] + entry * count + end[:8] + struct.pack("<HHI", 1, 1, size) + end[16:]


def encrypted_entry():
    whole = bytearray(zipped({"a.txt": b"Text."}))
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    return bytes(whole)


def broken_entry():
    whole = zipped({"a.txt": b"Text of some length, so that it is packed. " * 9})
    return whole[:40] + b"\xff\xff\xff" + whole[43:]


ODD = [
    ("no zip", b"PK but no zip", 422, "not a .zip"),
    ("nothing", b"", 422, "not a .zip"),
    ("an end alone", b"PK\x05\x06" + b"\0" * 18, 422, "no files"),
    ("a zip without files", zipped({".DS_Store": b"x"}), 422, "no files"),
    ("a zip whose only file is encrypted", encrypted_entry(), 422, "No row"),
    ("a zip whose only file is broken", broken_entry(), 422, "No row"),
    ("a zip that lists a million files", crowded(250_000), 413, "at most 10,000 files"),
    ("a bomb", zipped({f"{n}.txt": b"\0" * 10 * 2**20 for n in range(27)}), 413, "unpacks to more"),
]


@pytest.mark.parametrize(("what", "content", "status", "says"), ODD, ids=[case[0] for case in ODD])
def test_a_zip_that_is_none_or_too_much_is_refused_and_nothing_is_stored(api, database, what, content, status, says):
    before = stored(database)
    answer = send_zip(api, content)
    assert answer.status_code == status and says in answer.json["detail"], answer.text
    assert stored(database) == before


def test_a_file_of_a_zip_that_is_too_long_is_refused_alone(api):
    batch = send_zip(api, {"long.txt": b"a" * (10 * 2**20 + 1), "good.txt": b"Text."}).json
    assert (batch["counts"]["total"], batch["rejected"][0]["problem"]["errors"][0]["loc"]) == (1, ["long.txt"])
    assert "longer than 10,485,760 bytes" in batch["rejected"][0]["problem"]["detail"]


def test_a_zip_without_an_ending_is_one_when_its_part_says_so(api):
    content = zipped({"a.txt": b"One text."})
    for kind, status in (("application/zip", 202), ("text/plain", 415)):
        part = FileStorage(io.BytesIO(content), filename="class", content_type=kind)
        assert send_form(api, "/v1/batches", {"file": part}).status_code == status


FORM_FILES = [
    ("class.csv", "application/vnd.ms-excel", b"text,external_id,n\nOne.,a,1\n\n,b,2\nTwo.,,\n", 3),
    ("CLASS.NDJSON", "application/octet-stream", lines({"text": "One.", "external_id": "a", "metadata": {"n": "1"}}) + b"\n\n[]\n"
     + lines({"text": "Two."}), 3),
    ("class.jsonl", None, lines({"text": "One.", "external_id": "a", "metadata": {"n": "1"}}, {}, {"text": "Two."}), 2),
    ("class", "text/csv", b"external_id;text;n\na;One.;1\n;;\n;;3\n;Two.;\n", 3),
    ("class.data", "application/x-ndjson; charset=utf-8",
     lines({"text": "One.", "external_id": "a", "metadata": {"n": "1"}}, 1, {"text": "Two."}), 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind", "content", "bad"), FORM_FILES, ids=[case[0] for case in FORM_FILES])
def test_a_table_or_lines_may_come_as_the_file_of_a_form(api, database, name, kind, content, bad):
    part = FileStorage(io.BytesIO(content), filename=name, content_type=kind)
    answer = send_form(api, "/v1/batches", {"file": part, "prompt": "Shared?", "device": "cpu"})
    batch = answer.json
    assert answer.status_code == 202, answer.text
    assert texts(database, batch) == [("One.", "Shared?", "a", {"n": "1"}), ("Two.", "Shared?", None, {})]
    assert [each["row"] for each in batch["rejected"]] == [bad]
    assert api("GET", f"/v1/jobs?batch={batch['id']}").json["items"][0]["device"] == "cpu"


def test_a_table_in_a_form_can_be_sent_again_and_is_refused_as_a_body_is(api, database):
    def hand_in(content, **fields):
        key = {"Idempotency-Key": "form-csv"}
        return send_form(api, "/v1/batches", {"file": (io.BytesIO(content), "class.csv"), **fields}, key)

    first, before = hand_in(b"text\na\n"), stored(database)
    assert hand_in(b"text\na\n").json["id"] == first.json["id"]
    assert hand_in(b"text\nb\n").json["code"] == "idempotency_mismatch"
    for content, fields in (
        (b'text\n"a\n', {}),
        (b"essay\na\n", {}),
        (b"text\n\xff\n", {}),
        (b"text\na\n", {"colour": "red"}),
    ):
        assert hand_in(content, **fields).status_code == 422
    assert stored(database) == before


def test_only_one_zip_is_taken(api):
    assert send_zip(api, b"x", name="class.rar").json["code"] == "unsupported_media_type"
    one, two = ((io.BytesIO(zipped({"a.txt": b"a"})), "a.zip") for _ in range(2))
    answer = send_form(api, "/v1/batches", {"file": one, "other": two})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert send_form(api, "/v1/batches", {"prompt": "x"}).json["code"] == "invalid_request"


def test_a_reader_submits_no_stream(app, make_key, database):
    before, reader = stored(database), Api(app.test_client(), make_key("read"))
    assert send(reader, NDJSON, lines({"text": "a"})).status_code == 403
    assert send_zip(reader, {"a.txt": b"a"}).status_code == 403
    assert stored(database) == before


def test_a_file_that_is_packed_in_a_way_that_costs_memory_is_refused_alone(api):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("good.txt", "Text.")
        made.writestr("odd.txt", "Text.", zipfile.ZIP_LZMA)
    batch = send_zip(api, out.getvalue()).json
    assert (batch["counts"]["total"], batch["rejected"][0]["problem"]["errors"][0]["loc"]) == (1, ["odd.txt"])


def test_a_csv_of_old_spreadsheets_with_bare_returns_is_read(api):
    assert send(api, CSV, b"external_id;text\ra;One.\rb;Two.\r").json["counts"]["total"] == 2


def test_a_zip_with_a_comment_is_one(api):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.comment = b"made by a learning platform"
        made.writestr("a.txt", "Text.")
    assert send_zip(api, out.getvalue()).json["counts"]["total"] == 1


def test_the_document_names_every_kind_of_body_and_of_results(app):
    document = app.test_client().get("/openapi.json").json
    paths = document["paths"]
    batch, job = (paths[path]["post"] for path in ("/v1/batches", "/v1/jobs"))
    assert set(batch["requestBody"]["content"]) == {"application/json", NDJSON, CSV, "multipart/form-data"}
    assert set(job["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    form = job["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["required"] == ["file"] and "external_id" in form["properties"] and "text" not in form["properties"]
    assert {"rubric", "prompt", "baseline"} <= {p["name"] for p in batch["parameters"] if p["in"] == "query"}
    results = paths["/v1/batches/{batch_id}/results"]["get"]["responses"]["200"]["content"]
    assert len(results) == 4 and CSV in results
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
