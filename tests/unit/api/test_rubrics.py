"""Routes of rubrics: versions, what is refused and why, Canvas files."""

from __future__ import annotations

import csv
import io

import pytest

from api.result_files import FORMULA

SIX = {"name": "Structure", "measures": "Structure", "weight": 2, "min": 0, "max": 6, "step": 1}
LEVELS = [{"name": "Strong", "from": 4}, {"name": "Weak", "from": 0, "description": "Add an ending."}]
CANVAS = (
    "\ufeffRubric Name,Criteria Name,Criteria Description,Criteria Enable Range,Rating Name,Rating Description,Rating Points,"
    "Rating Name 2,Rating Description 2,Rating Points 2\n"
    "History,Structure,Order,false,Full,All of it,4,Half,,2,None,,0\n"
    ",Grammar,,true,Good,,5,Bad,,0\n"
    "Broken,Clarity,,false,Full,,many\n"
    "Short,Clarity,,false,Full,,3\n"
)


def make(api, name="essay", **more):
    return api("POST", "/v1/rubrics", json={"name": name, "criteria": [SIX], **more})


def test_the_same_name_again_makes_the_next_version_and_the_first_stays(api):
    first, second = make(api, prompt="Why?"), make(api, criteria=[{**SIX, "max": 10}])
    assert (first.status_code, first.json["version"], second.json["version"]) == (201, 1, 2)
    assert api("GET", first.headers["Location"]).json["criteria"][0]["max"] == 6
    assert api("GET", "/v1/rubrics/essay").json["versions"] == [1, 2]
    assert api("GET", "/v1/rubrics/essay?version=1").json["prompt"] == "Why?"
    assert api("GET", f"/v1/rubrics/{first.json['id']}").json["version"] == 1


@pytest.mark.parametrize(
    "name",
    ["q?x=1#y", "a%2Fb", "why? 50%", "Größe ä", "...", "import", "a;b&c=d+e", "\\", "a\x7f", "x" * 100, "\U0001f600"],
)  # fmt: skip
def test_where_a_rubric_and_its_calibration_are_said_to_be_they_are(api, name):
    made = make(api, name)
    assert (made.status_code, made.json["name"]) == (201, name)
    read = api("GET", made.headers["Location"])
    assert (read.status_code, read.json) == (200, made.json)
    by_name = made.headers["Location"].removesuffix("@1")
    assert api("GET", by_name).json == made.json
    examples = [{"text": f"{n}", "scores": {"Structure": n % 7}} for n in range(10)]
    taught = api("POST", f"{by_name}/calibrations", json={"examples": examples})
    assert api("GET", taught.headers["Location"]).json["id"] == taught.json["id"]


@pytest.mark.parametrize(
    "name", [".", "..", "0198f0c2-7a1b-7c3d-8e4f-000000000003", "A198F0C2-7A1B-7C3D-8E4F-00000000000F"]
)
def test_a_name_by_which_no_rubric_could_be_reached_is_refused_also_alone_in_a_file(api, name):
    answer = make(api, name)
    assert answer.status_code == 422 and "could not be reached by its name; choose another" in answer.json["detail"]
    file = CANVAS.replace("Short", name)
    imported = api("POST", "/v1/rubrics/import", data=file.encode(), content_type="text/csv").json
    assert [rubric["name"] for rubric in imported["rubrics"]] == ["History"]
    [bad] = [each for each in imported["rejected"] if each["rubric"] == name]
    assert bad["row"] == 5 and "could not be reached by its name" in bad["problem"]["detail"]


def test_a_name_with_a_slash_is_refused(api):
    assert make(api, "a/b").status_code == 422


def test_a_list_shows_the_newest_version_of_each_and_the_one_that_comes_along(api):
    make(api), make(api), make(api, "other")
    shown = {r["name"]: r["version"] for r in api("GET", "/v1/rubrics").json["items"]}
    assert shown == {"default": 1, "essay": 2, "other": 1}


def test_another_tenant_sees_nothing_of_a_rubric(api, app, make_key):
    from tests.unit.api.conftest import Api

    make(api)
    stranger = Api(app.test_client(), make_key())
    assert stranger("GET", "/v1/rubrics/essay").status_code == 404
    assert [r["name"] for r in stranger("GET", "/v1/rubrics").json["items"]] == ["default"]


@pytest.mark.parametrize(
    ("what", "criterion", "said"),
    [
        ("something that nothing measures", {"measures": "Humour"}, "Structure, Clarity, Relevance, Academic_Writing"),
        ("an upside-down scale", {"min": 6, "max": 0}, "must be greater than min"),
        ("a level off the scale", {"levels": [{"name": "Top", "from": 7}]}, "on the scale 0 to 6"),
        ("a step as wide as two scales", {"step": 12}, "step must part the scale"),
        ("two levels of one name", {"levels": [LEVELS[0], LEVELS[0]]}, "same name"),
        ("no weight at all", {"weight": 0}, "needs a weight above 0"),
        ("a negative weight", {"weight": -1}, "greater than or equal to 0"),
        ("an unknown field", {"colour": "red"}, "Extra inputs"),
        ("a truth for a number", {"min": False}, "valid number"),
        ("a word for a number", {"weight": "2"}, "valid number"),
    ],
)
def test_a_rubric_that_can_not_be_is_refused_with_the_reason(api, what, criterion, said):
    answer = make(api, criteria=[{**SIX, **criterion}])
    assert answer.status_code == 422
    assert said in str(answer.json["errors"])


def test_two_criteria_of_one_name_are_refused(api):
    assert "same name" in make(api, criteria=[SIX, SIX]).json["detail"]


def test_the_default_rubric_can_not_be_replaced(api):
    assert make(api, "default").status_code == 422


def test_a_criterion_of_ones_own_is_taken_and_grades_nothing_before_its_calibration(api):
    made = make(api, criteria=[SIX, {"name": "Wit"}])
    assert made.json["needs_calibration"] == ["Wit"]
    answer = api("POST", "/v1/jobs", json={"text": "A text.", "rubric": "essay"})
    assert answer.status_code == 422
    assert "calibrate" in answer.json["detail"]
    assert "Academic_Writing" in answer.json["detail"]


def test_a_rubric_inside_a_job_is_kept_once_and_not_listed(api):
    body = {"text": "A text.", "rubric": {"criteria": [SIX]}}
    jobs = [api("POST", "/v1/jobs", json=body) for _ in range(2)]
    assert [job.status_code for job in jobs] == [202, 202]
    assert jobs[0].json["rubric"] == jobs[1].json["rubric"]
    assert [r["name"] for r in api("GET", "/v1/rubrics").json["items"]] == ["default"]


def test_a_canvas_file_makes_its_good_rubrics_and_refuses_the_bad_one_alone(api):
    answer = api("POST", "/v1/rubrics/import", data=CANVAS.encode(), content_type="text/csv")
    assert answer.status_code == 201
    assert [r["name"] for r in answer.json["rubrics"]] == ["History", "Short"]
    structure, grammar = answer.json["rubrics"][0]["criteria"]
    assert (structure["min"], structure["max"], structure["step"]) == (0, 4, 2)
    assert (grammar["max"], grammar["step"], grammar["name"]) == (5, None, "Grammar")
    [bad] = answer.json["rejected"]
    assert (bad["rubric"], bad["row"]) == ("Broken", 4)
    assert "'many' are no number" in bad["problem"]["detail"]


def test_a_canvas_file_of_a_spreadsheet_elsewhere_is_read(api):
    file = "Rubric Name;Criteria Name;Criteria Description;Rating Name 1;Rating Description 1;Rating Points 1\r\n"
    file += 'Essay;Clarity;"Short, and clear";Good;;2,5\r\n;;;;;\r\n'
    answer = api("POST", "/v1/rubrics/import", data=file.encode(), content_type="text/csv")
    assert answer.status_code == 201 and answer.json["rejected"] == [], answer.text
    [criterion] = answer.json["rubrics"][0]["criteria"]
    assert (criterion["description"], criterion["max"]) == ("Short, and clear", 2.5)


def test_a_quote_that_is_not_closed_makes_no_two_criteria_one(api):
    file = CANVAS.replace("History,Structure,Order", 'History,Structure,"Order')
    answer = api("POST", "/v1/rubrics/import", data=file.encode(), content_type="text/csv")
    assert answer.status_code == 422 and answer.json["detail"].startswith("Line 2: "), answer.text
    assert [r["name"] for r in api("GET", "/v1/rubrics").json["items"]] == ["default"]


def test_a_file_that_is_no_rubric_is_refused_with_the_reason(api):
    answer = api("POST", "/v1/rubrics/import", data=b"a,b\n1,2\n", content_type="text/csv")
    assert answer.status_code == 422
    assert "Rubric Name" in str(answer.json["errors"])


def test_an_exported_rubric_comes_back_the_same(api):
    make(api, criteria=[{"name": "Structure", "min": 0, "max": 6, "levels": [*LEVELS, {"name": "Top", "from": 6}]}])
    file = api("GET", "/v1/rubrics/essay/export?format=canvas")
    assert file.mimetype == "text/csv"
    again = api("POST", "/v1/rubrics/import", data=file.data, content_type="text/csv").json["rubrics"][0]
    assert (again["name"], again["version"]) == ("essay", 2)
    assert [level["from"] for level in again["criteria"][0]["levels"]] == [0, 4, 6]


def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(api):
    make(api, criteria=[{**SIX, "description": "=HYPERLINK(1)"}])
    assert "'=HYPERLINK(1)" in api("GET", "/v1/rubrics/essay/export").text


def exported_again(api):
    """The newest version of the rubric, exported and imported."""
    file = api("GET", "/v1/rubrics/essay/export")
    return api("POST", "/v1/rubrics/import", data=file.data, content_type="text/csv").json["rubrics"][0]


def test_an_empty_cell_of_an_exported_rubric_stays_empty(api):
    make(api, criteria=[{**SIX, "levels": [{"name": "Strong", "from": 4}, {"name": "Weak", "from": 0}]}])
    assert "'" not in api("GET", "/v1/rubrics/essay/export").text
    [criterion] = exported_again(api)["criteria"]
    assert [criterion["description"], *(level["description"] for level in criterion["levels"])] == ["", "", ""]


@pytest.mark.parametrize("text", ["=bad", "'=bad", "''@bad", "-bad", "＝bad", "\n=bad", "-5", "'-5", "it's", "'"])
def test_what_a_spreadsheet_would_run_comes_back_as_it_was(api, text):
    make(
        api, criteria=[{**SIX, "description": text, "levels": [{"name": text.strip(), "from": 0, "description": text}]}]
    )
    rows = csv.reader(io.StringIO(api("GET", "/v1/rubrics/essay/export").text, newline=""))
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA) and cell != "-5"]
    [criterion] = exported_again(api)["criteria"]
    assert criterion["description"] == criterion["levels"][0]["description"] == text
    assert criterion["levels"][0]["name"] == text.strip()


def test_points_of_an_exported_rubric_keep_all_their_digits(api):
    levels = [{"name": "Top", "from": 123456.75}, {"name": "Half", "from": 0.1 + 0.2}, {"name": "None", "from": 0}]
    make(api, criteria=[{**SIX, "step": None, "max": 123456.75, "levels": levels}])
    assert ",123456.75," in api("GET", "/v1/rubrics/essay/export").text
    assert [level["from"] for level in exported_again(api)["criteria"][0]["levels"]] == [0, 0.1 + 0.2, 123456.75]


def test_a_separator_inside_an_exported_text_makes_no_cell_of_its_own(api):
    name = "a;=cmd|' calc'!A0;b"
    make(api, name)
    file = api("GET", f"/v1/rubrics/{name}/export")
    cells = [cell for row in csv.reader(io.StringIO(file.text, newline=""), delimiter=";") for cell in row]
    assert file.status_code == 200 and not [cell for cell in cells if cell.startswith(FORMULA)]
