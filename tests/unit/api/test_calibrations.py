"""Routes of calibrations; nobody fits anything here."""

from __future__ import annotations

import io
import uuid
import zipfile

import pytest

from db.calibration import Calibration, Example
from tests.unit.api.conftest import Api, end_jobs, send_form
from tests.unit.db.test_jobs import RESULT

SIX = {"name": "Structure", "min": 0, "max": 6, "step": 1}
PATH = "/v1/rubrics/essay/calibrations"


@pytest.fixture(autouse=True)
def rubric(api):
    return api("POST", "/v1/rubrics", json={"name": "essay", "criteria": [SIX]}).json


def examples(count, score=3):
    return [{"text": f"Text {n}.", "scores": {"Structure": score}} for n in range(count)]


def made(database, calibration_id, **card):
    with database.session() as session:
        found = session.get_one(Calibration, uuid.UUID(calibration_id))
        found.state, found.head, found.sha256, found.card = "succeeded", b"head", "0" * 64, card


def begun(api, count=10):
    return api("POST", PATH, json={"examples": examples(count)}).json["id"]


def test_ten_graded_examples_begin_a_calibration(api):
    answer = api("POST", PATH, json={"examples": examples(10), "cohort": [{"text": "Ungraded."}]})
    assert (answer.status_code, answer.json["state"]) == (202, "queued")
    shown = api("GET", answer.headers["Location"]).json
    assert (shown["examples"], shown["cohort"], shown["active"], shown["agreement"]) == (10, 1, False, None)
    assert [c["id"] for c in api("GET", PATH).json["items"]] == [shown["id"]]


def test_a_csv_has_a_row_an_example_and_rows_without_scores_are_the_cohort(api):
    rows = "".join(f'"Text, {n}",{n % 7}\n' for n in range(10)) + "Ungraded,\n"
    answer = api("POST", PATH, data=("text,Structure\n" + rows).encode(), content_type="text/csv")
    assert (answer.status_code, answer.json["examples"], answer.json["cohort"]) == (202, 10, 1)


def test_a_second_rater_and_groups_come_with_json_and_with_csv(api, database):
    body = [{**e, "scores_2": {"Structure": 4}, "groups": {"gender": "F"}} for e in examples(10)]
    rows = "text,Structure,Structure_2,group:gender\n" + "a,3,4,F\n" * 10 + "ungraded,,,M\n"
    for answer in (
        api("POST", PATH, json={"examples": body}),
        api("POST", PATH, data=rows.encode(), content_type="text/csv"),
    ):
        assert answer.status_code == 202
        with database.session() as session:
            kept = session.get_one(Example, (uuid.UUID(answer.json["id"]), 0))
            assert (kept.scores, kept.scores_2, kept.groups) == ({"Structure": 3}, {"Structure": 4}, {"gender": "F"})


def test_a_criterion_whose_name_looks_like_a_second_rater_keeps_its_column(api, database):
    api("POST", "/v1/rubrics", json={"name": "two", "criteria": [SIX, {**SIX, "name": "Structure_2"}]})
    rows = "text,Structure,Structure_2\n" + "a,3,4\n" * 10
    answer = api("POST", "/v1/rubrics/two/calibrations", data=rows.encode(), content_type="text/csv")
    with database.session() as session:
        kept = session.get_one(Example, (uuid.UUID(answer.json["id"]), 0))
        assert (kept.scores, kept.scores_2) == ({"Structure": 3, "Structure_2": 4}, None)


def test_a_class_of_long_essays_fits_into_one_request(api):
    long = [{"text": "word " * 30_000, "scores": {"Structure": n % 7}} for n in range(40)]  # 6 MB
    assert api("POST", PATH, json={"examples": long}).status_code == 202


def test_twenty_ungraded_submissions_are_enough_on_their_own(api):
    answer = api("POST", PATH, json={"cohort": [{"text": f"Text {n}"} for n in range(20)]})
    assert (answer.status_code, answer.json["examples"], answer.json["cohort"]) == (202, 0, 20)


@pytest.mark.parametrize(
    ("what", "body", "said"),
    [
        ("nine examples", {"examples": examples(9)}, "at least 10"),
        ("a small cohort", {"cohort": [{"text": "a"}]}, "at least 20"),
        ("nothing", {}, "at least 10"),
        ("a score off the scale", {"examples": examples(10, 7)}, "not on the scale 0 to 6"),
        ("another criterion", {"examples": [{"text": "a", "scores": {"Wit": 1}}] * 10}, "the rubric has Structure"),
        (
            "a second rater off the scale",
            {"examples": [{**e, "scores_2": {"Structure": 9}} for e in examples(10)]},
            "9",
        ),
        ("a second rater alone", {"examples": [{**e, "scores_2": {"Wit": 1}} for e in examples(10)]}, "no first one"),
        ("an empty group", {"examples": [{**e, "groups": {"gender": " "}} for e in examples(10)]}, "empty"),
        ("an empty text", {"examples": [{"text": " ", "scores": {"Structure": 1}}] * 10}, "empty"),
        ("no batch", {"cohort": {"batch": str(uuid.uuid4())}}, "there is no batch with this id"),
        (
            "no batch beside examples",
            {"examples": examples(30), "cohort": {"batch": str(uuid.uuid4())}},
            "there is no batch with this id",
        ),
    ],
)
def test_what_can_not_teach_is_refused_with_the_reason(api, what, body, said):
    answer = api("POST", PATH, json=body)
    assert answer.status_code == 422
    assert said in str(answer.json)


def batch_of(api, count):
    items = [{"text": f"Text {n}."} for n in range(count)]
    return api("POST", "/v1/batches", json={"items": items}).json["id"]


def test_a_batch_is_a_cohort_alone_or_beside_examples(api):
    for batch, more in ((batch_of(api, 20), {}), (batch_of(api, 3), {"examples": examples(10)})):
        answer = api("POST", PATH, json={"cohort": {"batch": batch}, **more})
        assert (answer.status_code, answer.json["cohort"]) == (202, 3 if more else 20)


def test_a_strangers_batch_is_no_cohort(api, app, make_key):
    batch = batch_of(Api(app.test_client(), make_key()), 20)
    for more in ({}, {"examples": examples(30)}):
        answer = api("POST", PATH, json={"cohort": {"batch": batch}, **more})
        assert (answer.status_code, answer.json["detail"]) == (422, "The cohort: there is no batch with this id.")
        assert answer.json["errors"][0]["loc"] == ["cohort", "batch"]
    assert api("GET", PATH).json["items"] == []


def test_a_batch_with_too_few_texts_says_what_has_become_of_them(api):
    batch = batch_of(api, 21)
    jobs = [job["id"] for job in api("GET", f"/v1/jobs?batch={batch}").json["items"]]
    for job in jobs[:2]:
        api("DELETE", f"/v1/jobs/{job}")
    few = api("POST", PATH, json={"cohort": {"batch": batch}})
    assert (
        few.status_code == 422
        and "gives 19 texts and at least 20 are needed; it has 21 (erased: 2;" in few.json["detail"]
    )
    for job in jobs[2:]:
        api("DELETE", f"/v1/jobs/{job}")
    none = api("POST", PATH, json={"examples": examples(30), "cohort": {"batch": batch}})
    assert none.status_code == 422 and "gives 0 texts and at least 1 are needed" in none.json["detail"]
    assert "(erased: 21; files that no worker has read yet: 0)" in none.json["detail"]


def test_files_that_nobody_has_read_are_no_cohort_yet(api):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(20):
            archive.writestr(f"{n}.txt", "A text.")
    packed.seek(0)
    batch = send_form(api, "/v1/batches", {"file": (packed, "class.zip")}).json["id"]
    answer = api("POST", PATH, json={"cohort": {"batch": batch}})
    assert answer.status_code == 422
    assert "it has 20 (erased: 0; files that no worker has read yet: 20)" in answer.json["detail"]


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("essay,Structure\na,1\n", "column 'text'"),
        ("text,Structure\na,high\n", "'high' in the column 'Structure' is no number"),
        ("text,Structure\na,1,2\n", "more cells"),
    ],
)
def test_a_csv_that_can_not_be_read_says_where(api, csv, said):
    answer = api("POST", PATH, data=csv.encode(), content_type="text/csv")
    assert answer.status_code == 422
    assert said in answer.json["detail"]


def taught(api, csv, path=PATH):
    return api("POST", path, data=csv.encode(), content_type="text/csv")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_of_a_spreadsheet_elsewhere_teaches_as_well(api, database, separator):
    rows = "\ufefftext ,Structure , group:gender\r\n" + "".join(f'"Text; {n}",3,F\r\n' for n in range(10)) + ",,\r\n"
    rows = rows.replace(",", separator).replace(f"3{separator}", f"2,5{separator}")
    answer = taught(api, rows)
    assert (answer.status_code, answer.json.get("examples"), answer.json.get("cohort")) == (202, 10, 0), answer.text
    with database.session() as session:
        kept = session.get_one(Example, (uuid.UUID(answer.json["id"]), 0))
        assert (kept.scores, kept.groups) == ({"Structure": 2.5}, {"gender": "F"})


def test_a_criterion_that_is_graded_in_two_columns_of_its_name_is_refused(api):
    answer = taught(api, "text,Structure,Structure \n" + "a,1,2\n" * 10)
    assert answer.status_code == 422 and "the column 'Structure' twice" in answer.json["detail"]


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        ("a,high,", [], "'high' in the column 'Structure' is no number"),
        ("a,9,", ["Structure"], "9 is not on the scale 0 to 6"),
        ("a,3,9", ["Structure_2"], "9 is not on the scale 0 to 6"),
        ("a,2000000,", ["Structure"], "less than or equal to 1000000"),
        (",3,", ["text"], "The text is empty."),
        ("a,,3", [], "no first one"),
        ("a,1,2,3", [], "more cells"),
    ],
)
def test_a_graded_row_is_named_by_its_place_in_the_file(api, row, column, said):
    answer = taught(api, f'text,Structure,Structure_2\n"two\nlines",3,3\n\n,,\n{row}\n')
    [wrong] = answer.json["errors"]
    assert (answer.status_code, wrong["loc"]) == (422, ["row", 4, *column]) and said in wrong["msg"]
    assert answer.json["detail"].startswith(", ".join(["Row 4", *column, "line 6: "])), answer.json["detail"]


def test_a_quote_that_is_not_closed_makes_no_two_graded_essays_one(api):
    answer = taught(api, "text,Structure\n" + "a,1\n" * 10 + '"s2,3\ns3,4\n')
    assert answer.status_code == 422 and answer.json["detail"].startswith("Line 12: ")


def test_the_rubric_that_comes_along_can_not_be_taught(api):
    answer = api("POST", "/v1/rubrics/default/calibrations", json={"examples": examples(10)})
    assert answer.status_code == 422


def test_a_calibration_that_is_not_made_can_not_be_activated(api):
    assert api("POST", f"{PATH}/{begun(api)}/activate").status_code == 409


def test_one_that_agrees_worse_is_refused_with_the_figures_unless_it_is_forced(api, database):
    worse = begun(api)
    made(database, worse, better=False, kappa=0.41, kappa_before=0.52)
    answer = api("POST", f"{PATH}/{worse}/activate")
    assert answer.status_code == 409
    assert "0.410 against 0.520" in answer.json["detail"]
    assert api("POST", f"{PATH}/{worse}/activate", json=[1]).status_code == 409  # a body says nothing
    assert api("POST", f"{PATH}/{worse}/activate?forced=true").status_code == 422
    assert api("POST", f"{PATH}/{worse}/activate?force=true").json["active"]


def test_activating_one_puts_the_other_away_and_going_back_is_activating_it_again(api, database):
    first, second = begun(api), begun(api)
    for each in (first, second):
        made(database, each, better=True)
        assert api("POST", f"{PATH}/{each}/activate").json["active"]
    assert api("GET", "/v1/rubrics/essay").json["calibration"] == second
    api("POST", f"{PATH}/{first}/activate")
    assert api("GET", "/v1/rubrics/essay").json["calibration"] == first
    api("POST", f"{PATH}/{first}/deactivate")
    assert api("GET", "/v1/rubrics/essay").json["calibration"] is None


def test_another_tenant_finds_no_calibration(api, app, make_key):
    stranger = Api(app.test_client(), make_key())
    assert stranger("GET", f"{PATH}/{begun(api)}").status_code == 404


def test_a_regrade_that_nothing_could_score_is_refused_as_a_job_is(api, database):
    api("POST", "/v1/rubrics", json={"name": "own", "criteria": [{"name": "Wit"}]})
    taught = [{"text": f"Text {n}.", "scores": {"Wit": n}} for n in range(10)]
    path = "/v1/rubrics/own/calibrations"
    calibration = api("POST", path, json={"examples": taught}).json["id"]
    made(database, calibration, better=True)
    api("POST", f"{path}/{calibration}/activate")
    job = api("POST", "/v1/jobs", json={"text": "A text.", "rubric": "own"})
    end_jobs(database, [job.json["id"]], RESULT)
    api("POST", f"{path}/{calibration}/deactivate")
    refused = api("POST", "/v1/rubrics/own/regrade")
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_request")
    assert refused.json["detail"].startswith(
        "Nothing scores Wit: calibrate the rubric with graded examples and activate"
    )
    assert refused.json["detail"] == api("POST", "/v1/jobs", json={"text": "a", "rubric": "own"}).json["detail"]
    assert api("GET", "/v1/batches").json["items"] == []
    api("POST", f"{path}/{calibration}/activate")
    again = api("POST", "/v1/rubrics/own/regrade")
    assert (again.status_code, again.json["counts"]["total"]) == (202, 1)


def test_a_regrade_without_graded_jobs_is_a_finished_batch(api):
    answer = api("POST", "/v1/rubrics/essay/regrade")
    assert (answer.status_code, answer.json["state"], answer.json["counts"]["total"]) == (202, "finished", 0)
