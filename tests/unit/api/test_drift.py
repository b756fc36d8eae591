"""Whether scores still spread as they should."""

from __future__ import annotations

import uuid
from collections import Counter

import numpy as np
import pytest

from api.drift import Spreads, drift
from db.calibration import Calibration
from db.rubric import Rubric
from tests.unit.api.conftest import end_jobs

CRITERIA = [{"name": "Argument", "min": 0, "max": 6, "step": 1, "weight": 1}]


def spread(mean, n, seed=0):
    drawn = np.clip(np.random.default_rng(seed).normal(mean, 15, n), 0, 100).round().astype(int)
    return Counter(drawn.tolist())


def test_what_spreads_as_expected_stays_below_what_chance_does():
    found = drift(spread(60, 200), spread(60, 200, seed=1))
    assert 0 <= found.psi < found.noise < 0.25


def test_a_class_that_scores_twenty_points_lower_has_drifted():
    found = drift(spread(60, 200), spread(40, 200, seed=1))
    assert found.psi > 0.25 and found.psi > found.noise


def test_chance_exceeds_its_bound_about_as_often_as_it_says():
    exceeded = sum(
        found.psi > found.noise
        for n in range(500)
        if (found := drift(spread(50, 60, seed=2 * n), spread(50, 80, seed=2 * n + 1)))
    )
    assert exceeded <= 6  # 0.5 expected


def test_few_examples_or_few_results_say_nothing():
    assert drift(spread(60, 29), spread(40, 200)) is None
    assert drift(spread(60, 200), spread(40, 49)) is None
    assert drift(Counter({50: 200}), spread(40, 200)) is None
    assert drift(Counter(), Counter()) is None


def test_a_short_scale_has_as_many_bins_as_its_steps_leave():
    assert drift(Counter({0: 90, 100: 10}), Counter({0: 90, 100: 10})).psi == pytest.approx(0)
    assert drift(Counter({0: 90, 100: 10}), Counter({0: 10, 100: 90})).psi > 1


@pytest.fixture
def graded(api, database):
    """A rubric with a calibration in use, and 60 results of it that score `points` of 6."""

    def graded(points, expected):
        name = f"r{uuid.uuid4().hex[:12]}"
        api("POST", "/v1/rubrics", json={"name": name, "criteria": CRITERIA})
        examples = [{"text": f"{n}", "scores": {"Argument": n % 7}} for n in range(40)]
        made = uuid.UUID(api("POST", f"/v1/rubrics/{name}/calibrations", json={"examples": examples}).json["id"])
        figures = {
            "scale": {"min": 0, "max": 6, "step": 1},
            "points": [[n % 7, each] for n, each in enumerate(expected)],
        }
        with database.session() as session:
            found = session.get_one(Calibration, made)
            found.state, found.head, found.card, found.active = "succeeded", b"head", {}, True
            found.report = {"form": 1, "criteria": {"Argument": figures}, "overall": figures}
            rubric = session.get_one(Rubric, found.rubric_id)
        jobs = [api("POST", "/v1/jobs", json={"text": f"{n}", "rubric": name}).json["id"] for n in range(60)]
        score = {"criterion": "Argument", "min": 0, "max": 6, "score": points}
        end_jobs(
            database, jobs,
            {
                "scores": [score], "overall": score, "advisories": [], "scored_by": {"calibration": str(made)},
                "degraded": False, "review_reasons": [], "topic": None,
            },
        )  # fmt: skip
        return f"{name}@1-{rubric.id.hex[-8:]}"

    return graded


def told(database, rubrics=50):
    families = {f.name: f for f in Spreads(database, rubrics, 60_000).collect()}
    return {(s.name, *s.labels.values()): s.value for f in families.values() for s in f.samples}


def test_a_rubric_tells_its_spread_and_how_far_it_is_from_its_calibration(database, graded):
    drifted = graded(points=1, expected=[0, 1, 2, 3, 4, 5, 6] * 6)
    steady = graded(points=6, expected=[6] * 36 + [5] * 4)
    found = told(database)
    assert [found["gradeline_scores", drifted, "Argument", f] for f in "12345"] == [60, 0, 0, 0, 0]
    assert [found["gradeline_scores", steady, "(overall)", f] for f in "12345"] == [0, 0, 0, 0, 60]
    for criterion in ("Argument", "(overall)"):
        psi, noise = (found[f"gradeline_score_drift_{what}", drifted, criterion] for what in ("psi", "noise"))
        assert psi > noise > 0
    psi, noise = (found[f"gradeline_score_drift_{what}", steady, "Argument"] for what in ("psi", "noise"))
    assert psi < noise


def test_no_more_rubrics_are_told_apart_than_asked(database, graded):
    first = graded(points=1, expected=[3] * 40)
    last = graded(points=1, expected=[3] * 40)
    names = {labels[1] for labels in told(database, rubrics=1)}
    assert last in names and first not in names


def test_rubrics_that_came_inside_jobs_are_one(api, database):
    jobs = [
        api("POST", "/v1/jobs", json={"text": "a", "rubric": {"criteria": [{"name": "Clarity", "min": 0, "max": top}]}})
        for top in (4, 5)
    ]
    score = {"criterion": "Clarity", "min": 0, "max": 4, "score": 4}
    end_jobs(
        database, [job.json["id"] for job in jobs],
        {
            "scores": [score], "overall": score, "advisories": [], "scored_by": {}, "degraded": False,
            "review_reasons": [], "topic": None,
        },
    )  # fmt: skip
    found = told(database)
    assert found["gradeline_scores", "inline", "(overall)", "5"] >= 2
    assert not any("inline-" in labels[1] for labels in found)
