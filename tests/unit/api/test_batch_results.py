"""The results of a batch, as programs and as teachers read them."""

from __future__ import annotations

import csv
import io
import json
import uuid

import openpyxl
import pytest

from tests.unit.api.conftest import Api, end_jobs
from tests.unit.api.test_failed import problem

NAMES = ("Structure", "Clarity", "Relevance", "Academic_Writing")
OVERALL = {"score": 68.2, "min": 0, "max": 100, "interval": [57.0, 79.0]}
RESULT = {
    "scores": [
        {"criterion": name, "score": 71.5, "min": 0, "max": 100, "interval": [58.0, 84.0], "confidence": 0.9,
         "level": "Good", "feedback": ["Fine."]}
        for name in NAMES
    ],
    "overall": OVERALL, "advisories": [{"code": "too_short", "message": "Short."}], "scored_by": {"model": "m"},
    "degraded": False, "review_reasons": ["wide_interval", "too_short"],
}  # fmt: skip
DANGEROUS = ["=cmd|'/c calc'!A1", "+1", "-1+2", "@SUM(A1)", "\tx", "＝1", "harmless=1"]


def submitted(api, *names):
    items = [{"text": f"Text {n}.", "external_id": name} for n, name in enumerate(names)]
    return api("POST", "/v1/batches", json={"items": items}).json["id"]


def results(api, batch, form, status=200):
    answer = api("GET", f"/v1/batches/{batch}/results?format={form}")
    assert answer.status_code == status, answer.text
    return answer


def ids_of(api, batch):
    return [job["id"] for job in results(api, batch, "json").json["items"]]


@pytest.fixture
def batch(api, database):
    """One graded, one failed, one waiting."""
    made = submitted(api, "anna", "ben", "carl")
    anna, ben, _ = ids_of(api, made)
    end_jobs(database, [anna], RESULT)
    end_jobs(database, [ben], error=problem("unscorable"))
    return made


def timeless(whole):
    """Without what is estimated anew each time."""
    return {**whole, "batch": {k: v for k, v in whole["batch"].items() if k != "eta_seconds"}}


def test_json_and_lines_are_the_jobs_in_the_order_of_rows(api, batch):
    whole = results(api, batch, "json").json
    assert timeless(whole)["batch"] == timeless({"batch": api("GET", f"/v1/batches/{batch}").json})["batch"]
    assert whole["items"] == [api("GET", f"/v1/jobs/{job['id']}").json for job in whole["items"]]
    assert [job["external_id"] for job in whole["items"]] == ["anna", "ben", "carl"]
    lines = results(api, batch, "ndjson")
    assert lines.mimetype == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == whole["items"]
    assert timeless(api("GET", f"/v1/batches/{batch}/results").json) == timeless(whole)


def test_a_table_has_a_column_for_each_score_with_its_interval(api, batch):
    answer = results(api, batch, "csv")
    assert answer.mimetype == "text/csv" and f"batch-{batch}.csv" in answer.headers["Content-Disposition"]
    anna, ben, carl = csv.DictReader(io.StringIO(answer.text))
    assert (anna["external_id"], anna["state"], anna["overall"]) == ("anna", "succeeded", "68.2")
    assert (anna["overall_low"], anna["overall_high"], anna["error"]) == ("57.0", "79.0", "")
    for name in NAMES:
        shown = [anna[f"{name}{what}"] for what in ("", "_low", "_high", "_level")]
        assert shown == ["71.5", "58.0", "84.0", "Good"]
    assert (anna["needs_review"], anna["reasons"]) == ("true", "wide_interval; too_short")
    assert (ben["state"], ben["overall"], ben["needs_review"]) == ("failed", "", "")
    assert ben["error"] == "It failed with unscorable."
    assert (carl["state"], carl["Structure"]) == ("queued", "")
    assert [anna["job_id"], ben["job_id"], carl["job_id"]] == ids_of(api, batch)


def test_a_spreadsheet_has_the_same_cells_with_numbers_as_numbers(api, batch):
    answer = results(api, batch, "xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    heads, anna, *_ = sheet.iter_rows(values_only=True)
    table = list(csv.reader(io.StringIO(results(api, batch, "csv").text)))
    assert list(heads) == table[0] and sheet.max_row == len(table)
    row = dict(zip(heads, anna, strict=True))
    assert (row["overall"], row["Clarity_high"], row["needs_review"], row["external_id"]) == (68.2, 84.0, True, "anna")


def row_of(api, batch, form, number=0):
    """A row as a program reads it that knows columns by their names."""
    if form == "csv":
        return list(csv.DictReader(io.StringIO(results(api, batch, "csv").text)))[number]
    heads, *rows = openpyxl.load_workbook(io.BytesIO(results(api, batch, "xlsx").data)).active.iter_rows(
        values_only=True
    )
    return {head: "" if cell is None else str(cell) for head, cell in zip(heads, rows[number], strict=True)}


def decide(api, job, scores, **more):
    assert api("PUT", f"/v1/jobs/{job}/review", json={"scores": scores, **more}).status_code == 200


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_table_has_what_people_decided_beside_what_the_machine_said(api, batch, form):
    anna, *_ = ids_of(api, batch)
    before = row_of(api, batch, form)
    assert (before["Structure_reviewed"], before["Structure_final"], before["overall_reviewed"]) == ("", "71.5", "")
    assert (before["overall_final"], before["reviewed_at"], before["Clarity_feedback"]) == ("68.2", "", "Fine.")
    decide(api, anna, {"Structure": 40}, comment="=Begin again.", reviewer="t-7")
    after, job = row_of(api, batch, form), api("GET", f"/v1/jobs/{anna}").json
    assert {name: after[name] for name in list(before)[: list(before).index("job_id") + 1]} == {
        name: before[name] for name in list(before)[: list(before).index("job_id") + 1]
    }
    assert (float(after["Structure_reviewed"]), float(after["Structure_final"])) == (40, 40)
    assert (after["Clarity_reviewed"], after["Clarity_final"]) == ("", "71.5")
    overall = job["review"]["overall"]
    assert (
        float(after["overall_reviewed"]) == float(after["overall_final"]) == overall == pytest.approx(63.62, abs=0.01)
    )
    assert (after["review_comment"], after["reviewed_by"]) == ("'=Begin again.", "t-7")
    assert after["reviewed_at"] == job["review"]["at"]
    assert after["needs_review"].lower() == str(job["needs_review"]).lower()
    decide(api, anna, {"Clarity": 0})
    again, who = row_of(api, batch, form), api("GET", f"/v1/jobs/{anna}").json["review"]["who"]
    assert (again["Structure_final"], float(again["Clarity_final"]), again["reviewed_by"]) == ("71.5", 0, who)
    waiting = row_of(api, batch, form, 2)
    assert {cell for name, cell in waiting.items() if name not in ("external_id", "state", "job_id")} == {""}


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_row_that_was_erased_says_so(api, batch, form):
    anna, *_ = ids_of(api, batch)
    decide(api, anna, {"Structure": 40}, comment="private", reviewer="t-7")
    api("DELETE", f"/v1/jobs/{anna}")
    row = row_of(api, batch, form)
    assert (row["state"], row["error"], row["job_id"]) == ("succeeded", "It was erased.", anna)
    assert row["erased_at"] == api("GET", f"/v1/jobs/{anna}").json["erased_at"]
    assert {cell for name, cell in row.items() if name not in ("state", "error", "job_id", "erased_at")} == {""}
    assert row_of(api, batch, form, 1)["erased_at"] == ""


def test_what_a_spreadsheet_would_calculate_is_read_as_text(api):
    batch = submitted(api, *DANGEROUS)
    expected = [f"'{name}" for name in DANGEROUS[:-1]] + DANGEROUS[-1:]
    rows = list(csv.DictReader(io.StringIO(results(api, batch, "csv").text, newline="")))
    assert [row["external_id"] for row in rows] == expected
    sheet = openpyxl.load_workbook(io.BytesIO(results(api, batch, "xlsx").data)).active
    cells = [sheet.cell(row, 1) for row in range(2, sheet.max_row + 1)]
    assert [cell.value for cell in cells] == expected and {cell.data_type for cell in cells} == {"s"}


@pytest.mark.parametrize("separator", ";\t|")
def test_a_separator_inside_a_name_makes_no_cell_of_its_own(api, separator):
    name = f"a{separator}=cmd|' /C calc'!A0{separator}b.txt"
    answer = results(api, submitted(api, name), "csv").text
    assert next(csv.DictReader(io.StringIO(answer)))["external_id"] == name
    elsewhere = [cell for row in csv.reader(io.StringIO(answer), delimiter=separator) for cell in row]
    assert not [cell for cell in elsewhere if cell.startswith("=")]


def test_a_separator_inside_a_criterion_makes_no_head_of_its_own(api):
    for name, begins in (("a;=1+1", '"external_id","state",'), ("Task response", "external_id,state,")):
        own = {"criteria": [{"name": name, "measures": "Structure"}]}
        batch = api("POST", "/v1/batches", json={"items": [{"text": "A text."}], "rubric": own}).json["id"]
        answer = results(api, batch, "csv").text
        assert answer.startswith(begins) and name in next(csv.reader(io.StringIO(answer)))


def test_a_criterion_that_is_named_like_a_formula_heads_a_column_all_the_same(api):
    own = {"criteria": [{"name": "=1+1", "measures": "Structure", "max": 6}]}
    batch = api("POST", "/v1/batches", json={"items": [{"text": "A text."}], "rubric": own}).json["id"]
    heads = next(csv.reader(io.StringIO(results(api, batch, "csv").text)))
    assert "'=1+1" in heads and "=1+1" not in heads


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "xlsx"])
def test_all_of_a_long_batch_is_there_once_and_in_order(api, form):
    names = [f"s-{n}" for n in range(450)]
    answer = results(api, submitted(api, *names), form)
    if form == "json":
        found = [job["external_id"] for job in answer.json["items"]]
    elif form == "ndjson":
        found = [json.loads(line)["external_id"] for line in answer.text.splitlines()]
    elif form == "csv":
        found = [row["external_id"] for row in csv.DictReader(io.StringIO(answer.text))]
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
        found = [cell[0] for cell in sheet.iter_rows(min_row=2, max_col=1, values_only=True)]
    assert found == names


def test_a_batch_without_jobs_is_an_empty_table(api):
    api("POST", "/v1/rubrics", json={"name": "none", "criteria": [{"name": "Structure", "measures": "Structure"}]})
    batch = api("POST", "/v1/rubrics/none/regrade").json["id"]
    assert results(api, batch, "json").json["items"] == []
    assert len(results(api, batch, "csv").text.splitlines()) == 1


def test_results_of_another_tenant_or_without_the_scope_are_not_given(api, app, make_key, batch):
    other = Api(app.test_client(), make_key())
    assert other("GET", f"/v1/batches/{batch}/results").status_code == 404
    assert Api(app.test_client(), make_key("submit"))("GET", f"/v1/batches/{batch}/results").status_code == 403
    for odd in (uuid.uuid4(), "none"):
        assert api("GET", f"/v1/batches/{odd}/results").json["code"] == "not_found"
    assert api("GET", f"/v1/batches/{batch}/results?format=pdf").json["code"] == "invalid_request"
