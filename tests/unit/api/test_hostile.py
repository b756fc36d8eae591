"""Bodies as long as they may be that would cost a server far more than their length: each is refused soon, in a short answer.

What these would take if they were read as they are is minutes, hours or all memory: the time limit of every test notices.
"""

from __future__ import annotations

import pytest

MB = 2**20
JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
JOBS, BATCHES, RUBRICS, IMPORT = "/v1/jobs", "/v1/batches", "/v1/rubrics", "/v1/rubrics/import"
TEACH = "/v1/rubrics/hostile/calibrations"


def filled(head: bytes, one: bytes, tail: bytes, size: int = 4 * MB - 1000) -> bytes:
    return head + one * ((size - len(head) - len(tail)) // len(one)) + tail


def names(count: int) -> bytes:
    return b",".join(b"c%d" % n for n in range(count))


def fields(count: int) -> bytes:
    return b",".join(b'"k%d":1' % n for n in range(count))


CASES = {
    "a job of 300,000 fields": (JOBS, JSON, b'{"text":"a",' + fields(300_000) + b"}", 422),
    "metadata of a million numbers": (JOBS, JSON, filled(b'{"text":"a","metadata":{"a":[', b"1,", b"1]}}"), 422),
    "a number of 4 MiB": (BATCHES, JSON, b'{"items":[' + b"9" * 4 * MB, 400),
    "a million criteria": (RUBRICS, JSON, filled(b'{"name":"a","criteria":[', b"1,", b"1]}"), 422),
    "twenty million examples": (TEACH, JSON, filled(b'{"examples":[', b"{},", b"{}]}", 60 * MB), 413),
    "twenty million of a cohort": (TEACH, JSON, filled(b'{"cohort":[', b"{},", b"{}]}", 60 * MB), 413),
    "an example of a million scores": (TEACH, JSON, b'{"examples":[{"scores":{' + fields(10**6) + b"}}]}", 413),
    "graded rows without end": (TEACH, CSV, b"text,Structure\n" + b"a\n" * 10_100, 413),
    "graded columns without end": (TEACH, CSV, b"text," + names(200_000) + b"\na\n", 422),
    "a graded table of blank lines": (TEACH, CSV, b"text,Structure\n" + b"\n" * 10 * MB, 413),
    "a rubric's header of digits": (IMPORT, CSV, b"Rubric Name," + b"9" * 900_000 + b"x,Criteria Name\n", 422),
    "a rubric's columns without end": (IMPORT, CSV, b"Rubric Name,Criteria Name," + names(300_000) + b"\na,b\n", 422),
    "a rubric of a million ratings": (IMPORT, CSV, b"Rubric Name,Criteria Name\na,b" + b",c" * 10**6, 422),
    "twenty million items": (BATCHES, JSON, filled(b'{"items":[', b"1,", b"1]}", 60 * MB), 413),
    "a batch of 300,000 fields": (BATCHES, JSON, b'{"items":["a"],' + fields(300_000) + b"}", 413),
    "a batch of columns without end": (BATCHES, CSV, b"text," + names(200_000) + b"\na\n", 422),
    "a batch of blank lines": (BATCHES, NDJSON, b"\n" * 10 * MB, 413),
    "a table of blank lines": (BATCHES, CSV, b"text\n" + b"\n" * 10 * MB, 413),
}


@pytest.mark.parametrize(("path", "kind", "body", "status"), CASES.values(), ids=CASES)
def test_a_body_that_costs_more_than_its_length_is_refused_in_a_short_answer(api, path, kind, body, status):
    api("POST", "/v1/rubrics", json={"name": "hostile", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    answer = api("POST", path, data=body, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text[:500]
    assert len(answer.data) < 20_000 and len(answer.json["errors"]) <= 50


def test_a_row_of_300_000_fields_is_refused_alone(api):
    body = b'{"items":[{"text":"Good."},{' + fields(300_000) + b"}]}"
    answer = api("POST", BATCHES, data=body, content_type=JSON)
    assert answer.status_code == 202 and len(answer.data) < 5000
    assert [each["row"] for each in answer.json["rejected"]] == [2]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_old_spreadsheets_teach_and_make_rubrics(api, end):
    api("POST", "/v1/rubrics", json={"name": "old", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    graded = end.join(["text,Structure", *(f"Text {n}.,{n}" for n in range(10)), ""])
    answer = api("POST", "/v1/rubrics/old/calibrations", data=graded, content_type=CSV)
    assert (answer.status_code, answer.json.get("examples")) == (202, 10), answer.text
    head = "Rubric Name,Criteria Name,Criteria Description,Criteria Enable Range,Rating Name 12 "
    rubric = end.join([head, "Old,Structure,d,true,Good,g,4", ""])
    assert api("POST", IMPORT, data=rubric, content_type=CSV).status_code == 201


def test_a_table_that_begins_with_a_broken_line_is_the_callers_mistake(api):
    api("POST", "/v1/rubrics", json={"name": "odd", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    for body in (b"\rtext,Structure\na,1\n", b'text,"Str\ructure\n' + b"x" * MB, b"", b"\r", b'"'):
        answer = api("POST", "/v1/rubrics/odd/calibrations", data=body, content_type=CSV)
        assert answer.status_code == 422, (body[:20], answer.text)
