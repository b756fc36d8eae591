"""A class whose agreement is read over HTTP: rows may come in any order, and what was not graded as taught is not counted."""

from __future__ import annotations

import numpy as np
import pytest

from heads.over_http import table_of
from heads.school_class import Class, TaughtRubric

CRITERIA = [{"name": "content", "min": 0, "max": 3, "step": 1, "measures": "content"}]
FOUR = Class(["a", "b", "c", "d"], CRITERIA, np.array([[0.0], [1.0], [2.0], [3.0]]))


class Answers:
    """An API that has taught what it was asked to, and graded in an order of its own."""

    def __init__(self, **job) -> None:
        self.rubrics, self.job, self.sent = self, job, []

    def make(self, *_, **__):
        return {}

    def calibrate(self, _, examples, **fields):
        self.sent = examples
        return {"id": "taught"}

    def calibration(self, *_):
        return {"state": "succeeded", "error": None}

    def activate(self, *_, **__):
        return {}

    def batch_jobs(self, _):
        fixed = {"id": "j", "state": "succeeded", "degraded": False, "scored_by": {"calibration": "taught"}, **self.job}
        return [
            {**fixed, "external_id": str(n), "scores": [{"score": n, "interval": [n - 1, n + 1]}]} for n in (2, 0, 3, 1)
        ]


def test_scores_are_those_of_the_rows_that_were_asked_for():
    rubric = TaughtRubric(api := Answers(), "r", FOUR, "Write.")
    rubric.teach(np.array([3, 1]))
    assert api.sent == [{"text": "d", "scores": {"content": 3.0}}, {"text": "b", "scores": {"content": 1.0}}]
    scores, intervals = rubric.read("batch", np.array([3, 0]))
    assert (scores.tolist(), intervals.tolist()) == ([[3.0], [0.0]], [[[2.0, 4.0]], [[-1.0, 1.0]]])


@pytest.mark.parametrize(
    "job", [{"state": "failed", "scored_by": None}, {"degraded": True}, {"scored_by": {"calibration": None}}]
)
def test_essays_that_were_not_graded_as_taught_end_the_measurement(job):
    rubric = TaughtRubric(Answers(**job), "r", FOUR)
    rubric.teach(np.array([0, 1]))
    with pytest.raises(SystemExit, match="4 essays of r were not graded as it was taught; one is job j"):
        rubric.read("batch", np.arange(4))


def test_kappa_is_one_for_the_same_scores_and_less_for_others():
    rows = np.array([3, 0, 1])
    assert FOUR.kappas(rows, FOUR.scores[rows]) == [1.0]
    # Squared differences: 1 in pairs, 10 + 13 + 6 = 29 of all with all; 29 / 3 by chance.
    assert FOUR.kappas(rows, np.array([[3.0], [0.0], [2.0]]))[0] == pytest.approx(1 - 3 / 29, abs=0.001)


def test_the_table_is_of_all_criteria_of_all_assignments():
    found = [{"overall": [0.8], "traits": [0.7, 0.6]}, {"overall": [0.6], "traits": [0.8]}]
    rest = {key: [] for key in ("cohort", "20", "50", "inside")}
    rows = table_of([{**each, **rest} for each in found], 0.47)
    assert [row["value"] for row in rows] == [0.7, 0.7, 0.47]
