"""The report as JSON and as a page; nobody fits anything here, the figures are the worker's."""

from __future__ import annotations

import re
import uuid
from html.parser import HTMLParser

import numpy as np
import pytest

from api.bars import missed, misses
from api.default_card import default_card
from api.report_page import number
from db.calibration import Calibration
from tests.unit.api.conftest import Api
from worker.report import Evaluated, report_of

NASTY = "<b>Wit</b> & $x_1$"
CRITERIA = [
    {"name": "Structure", "min": 0, "max": 6, "step": 1, "weight": 1},
    {"name": NASTY, "min": 0, "max": 6, "step": 1, "weight": 1},
]
PATH = "/v1/rubrics/essay/report"
VOID = {"meta", "link", "br", "img", "hr"}


@pytest.fixture(autouse=True)
def rubric(api):
    return api("POST", "/v1/rubrics", json={"name": "essay", "criteria": CRITERIA}).json


def report(n=60):
    """Of scores of which the second criterion is guessed."""
    draw = np.random.default_rng(0)
    human = draw.integers(0, 7, (n, 2)).astype(float)
    machine = np.clip(human / 6 + np.array([0.1, 0.4]) * draw.standard_normal((n, 2)), 0, 1)
    second = np.clip(human + draw.integers(-1, 2, (n, 2)), 0, 6)
    groups = {"<i>gender</i>": [("F", "M", None)[k % 3] for k in range(n)]}
    return report_of(CRITERIA, Evaluated(human, machine, second, groups, np.array([0.2, 0.5, 0.3]), {10: machine}))


def taught(api, database, figures=None, **columns):
    scores = {c["name"]: 3 for c in CRITERIA}
    examples = [{"text": f"Text {n}.", "scores": scores} for n in range(10)]
    begun = api("POST", "/v1/rubrics/essay/calibrations", json={"examples": examples}).json["id"]
    with database.session() as session:
        found = session.get_one(Calibration, uuid.UUID(begun))
        found.state, found.head, found.sha256, found.card = "succeeded", b"head", "0" * 64, {}
        found.report = figures
        for name, value in columns.items():
            setattr(found, name, value)
    return begun


class Checker(HTMLParser):
    """Every element is closed where it should be, and no id is there twice."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.tags, self.named, self.outside = [], [], [], [], []
        self.scrolling = False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "div":
            self.scrolling = dict(attrs).get("class") == "wide"
        if self.scrolling and tag == "div":
            self.named.append(dict(attrs).get("aria-labelledby"))
        if tag == "table" and not self.scrolling:
            self.outside.append(attrs)
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        self.scrolling = self.scrolling and tag != "div"
        assert self.open.pop() == tag


def test_the_report_of_a_calibration_says_what_it_is_of_and_what_misses_its_bar(api, database):
    made = taught(api, database, report())
    found = api("GET", PATH)
    assert (found.status_code, found.content_type) == (200, "application/json") and "Accept" in found.vary
    body = found.json
    assert (body["kind"], body["calibration"]["id"], body["calibration"]["examples"]) == ("calibration", made, 10)
    assert body["criteria"]["Structure"] == report()["criteria"]["Structure"]
    assert list(body["criteria"]) == ["Structure", NASTY]
    assert {m["criterion"] for m in body["misses"]} >= {NASTY}
    assert "Text 1" not in found.text


def test_a_page_is_sent_to_who_prefers_one_or_asks_for_it(api, database):
    taught(api, database, report())
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for page in (api("GET", PATH, headers=browser), api("GET", f"{PATH}?format=html")):
        assert (page.status_code, page.mimetype) == (200, "text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for accept in ("*/*", "application/json", "application/json, text/html"):
        assert api("GET", PATH, headers={"Accept": accept}).mimetype == "application/json"
    assert api("GET", f"{PATH}?format=json", headers=browser).mimetype == "application/json"
    assert api("GET", f"{PATH}?format=pdf").status_code == 422


def test_the_page_is_sound_has_all_pictures_and_escapes_what_people_have_named(api, database):
    taught(api, database, report())
    text = api("GET", f"{PATH}?format=html").text
    check = Checker()
    check.feed(text)
    assert check.open == []
    assert len(set(check.ids)) == len(check.ids)
    # Four of each criterion and of the overall score.
    assert check.tags.count("svg") == check.tags.count("figcaption") == 12
    assert text.count('role="img" aria-label=') == 12
    assert "<b>Wit" not in text and "<i>gender" not in text and "&lt;b&gt;Wit&lt;/b&gt; &amp; $x_1$" in text
    assert "script" not in check.tags and not re.search(r'(?:src|href)="(?!#)', text)
    assert "✗" in text and not re.search(r">\s*(nan|None)\b", text)


def test_the_active_calibration_is_reported_then_the_newest_then_the_one_asked_for(api, database):
    first, second = taught(api, database, report()), taught(api, database, report())
    assert api("GET", PATH).json["calibration"]["id"] == second
    api("POST", f"/v1/rubrics/essay/calibrations/{first}/activate")
    assert api("GET", PATH).json["calibration"]["id"] == first
    assert api("GET", f"{PATH}?calibration={second}").json["calibration"]["id"] == second
    assert api("GET", f"{PATH}?version=1").json["calibration"]["id"] == first


def test_a_new_version_has_not_the_report_of_the_old_one(api, database):
    taught(api, database, report())
    measured = [{**CRITERIA[0], "measures": "Structure"}]
    api("POST", "/v1/rubrics", json={"name": "essay", "criteria": measured})
    assert api("GET", PATH).json["kind"] == "default_head"
    old = api("GET", f"{PATH}?version=1").json
    assert (old["kind"], old["rubric"]["version"]) == ("calibration", 1)
    # Asked for by its id, it says of which version it is.
    assert api("GET", f"{PATH}?calibration={old['calibration']['id']}").json["rubric"]["version"] == 1


@pytest.mark.parametrize(("examples", "said"), [(0, "ungraded submissions alone"), (10, "before reports were kept")])
def test_a_calibration_without_figures_says_why(api, database, examples, said):
    taught(api, database, None, examples=examples)
    body = api("GET", PATH).json
    assert (body["criteria"], body["overall"], body["misses"]) == ({}, None, [])
    assert said in body["note"]
    assert said in api("GET", f"{PATH}?format=html").text


def test_a_calibration_that_waits_has_no_report_yet(api):
    examples = [{"text": f"Text {n}.", "scores": {"Structure": 3, NASTY: 1}} for n in range(10)]
    begun = api("POST", "/v1/rubrics/essay/calibrations", json={"examples": examples}).json["id"]
    assert api("GET", f"{PATH}?calibration={begun}").status_code == 409
    assert api("GET", PATH).json["kind"] == "default_head"


def test_without_calibration_the_card_of_the_head_that_comes_along_is_the_report(api):
    for path in ("/v1/rubrics/default/report", PATH):
        body = api("GET", path).json
        assert (body["kind"], body["head"], body["calibration"]) == ("default_head", "default@2", None)
        measured = default_card()["card"]["measured"]
        for side in ("seen", "unseen"):
            kappas = {name: each[side]["wtkappa"] for name, each in body["default_head"]["figures"].items()}
            assert kappas == {n: measured[side]["means"][n] for n in kappas} and len(kappas) == 4
            missing = [m["criterion"] for m in body["misses"] if m["figure"] == f"{side}.wtkappa"]
            assert missing == [name for name, value in kappas.items() if value < 0.7]
    assert NASTY in body["note"]
    page = api("GET", f"{PATH}?format=html").text
    check = Checker()
    check.feed(page)
    assert check.open == [] and check.tags.count("svg") == 1
    assert f"{measured['topic']['own_mean_gate']:.2f}" in page


def test_every_table_and_the_wide_chart_scroll_by_themselves_in_a_region_named_by_its_own_caption(api, database):
    for uncalibrated in (True, False):
        if not uncalibrated:
            taught(api, database, report())
        check = Checker()
        check.feed(page := api("GET", f"{PATH}?format=html").text)
        assert check.outside == [] and len(check.named) == check.tags.count("table") + uncalibrated
        assert len(set(check.named)) == len(check.named) and set(check.named) <= set(check.ids)
    assert ".chart svg { min-width: 36rem; }" in page


def test_the_legend_of_the_chart_stands_inside_the_picture(api):
    page = api("GET", "/v1/rubrics/default/report?format=html").text
    places = re.findall(r'<text style="font-size: (\d+)px[^>]* y="([\d.-]+)"[^>]*>assignment', page)
    assert len(places) == 2 and all(float(y) > float(size) for size, y in places), places


@pytest.mark.parametrize(
    "model", ["all-mpnet-base-v2", "sentence-transformers/all-mpnet-base-v2", "/models/all-mpnet-base-v2"]
)
def test_a_larger_model_has_a_card_of_its_own(model):
    assert default_card(model)["model"] == "all-mpnet-base-v2"
    assert (
        default_card("nobody/else")["model"]
        == default_card("..")["model"]
        == default_card()["model"]
        == "all-MiniLM-L6-v2"
    )


def test_a_group_beyond_the_bar_is_named_and_a_small_one_is_not():
    made = report()
    groups = made["criteria"]["Structure"]["subgroups"]["<i>gender</i>"]["groups"]
    groups["F"]["DSM"] = -0.2
    groups["M"].update(DSM=0.5, enough=False)
    found = [m for m in misses(made) if m["criterion"] == "Structure" and m["figure"] == "subgroups.DSM"]
    miss = {"criterion": "Structure", "figure": "subgroups.DSM", "grouping": "<i>gender</i>", "group": "F"}
    assert found == [{**miss, "value": -0.2, "bar": 0.1}]


def test_nobody_else_finds_the_report(api, app, make_key, database):
    made = taught(api, database, report())
    stranger = Api(app.test_client(), make_key())
    assert stranger("GET", PATH).status_code == 404
    assert stranger("GET", f"/v1/rubrics/default/report?calibration={made}").status_code == 404
    assert api("GET", f"{PATH}?calibration=nothing").status_code == 404
    assert Api(app.test_client(), make_key("submit"))("GET", PATH).status_code == 403
    assert app.test_client().get(PATH).status_code == 401


@pytest.mark.parametrize(
    ("figure", "fine", "off"),
    [
        ("wtkappa", 0.7, 0.69),
        ("corr", 0.9, 0.5),
        ("SMD", -0.15, 0.16),
        ("DSM", 0.1, -0.11),
        ("degradation", -0.1, -0.11),
    ],
)
def test_what_misses_its_bar(figure, fine, off):
    assert (missed(figure, fine), missed(figure, off), missed(figure, None)) == (False, True, False)


def test_numbers_of_tables():
    assert [number(0.704), number(-1.0), number(-0.001), number(None)] == ["0.70", "−1.00", "0.00", "–"]
    assert number(57.6, 0) == "58"
