"""The storm's checks find what they look for: one that can't fail would prove nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.storm.checks import Hit, Row, findings
from tests.storm.ledger import Ledger

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = {0: "one", 1: "two"}


def result(score: float, attempt: int = 1) -> dict:
    return {
        "attempt": attempt, "degraded": False, "scores": [{"criterion": "C", "score": score}],
        "overall": {"score": score},
    }  # fmt: skip


def attempt(number: int, outcome: str) -> dict:
    return {
        "number": number, "outcome": outcome, "started_at": NOW.isoformat(),
        "finished_at": (NOW + timedelta(seconds=5)).isoformat(),
    }  # fmt: skip


ANSWERS = {0: result(50), 1: result(60)}
GOOD = Row("a", 0, None, "succeeded", 1, False, False, None, "one", result(50), [attempt(1, "succeeded")])
LOST = replace(GOOD, attempt=2, attempts=[attempt(1, "lost"), attempt(2, "succeeded")], result=result(50, 2))
HIT = Hit("kill_a_child", "", NOW + timedelta(seconds=1), NOW + timedelta(seconds=1))


def whats(*rows: Row, ledger: Ledger | None = None, hits: tuple[Hit, ...] = ()) -> list[str]:
    if ledger is None:
        ledger = Ledger()
        ledger.accepted("a", 0, "t")
    return [each.what for each in findings(rows, ledger, ANSWERS, TEXTS, hits, 3, 1e-3, True)]


def test_what_is_as_it_should_be_is_not_reported():
    assert whats(GOOD) == []
    assert whats(LOST, hits=(HIT,)) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (replace(GOOD, state="running", result=None, attempts=[]), "stuck"),
        (replace(GOOD, lease=True), "lease"),
        (replace(GOOD, in_window=True), "window"),
        (replace(GOOD, id="b"), "lost: a job"),
        (replace(GOOD, text="two"), "another text"),
        (replace(GOOD, result=None), "without a result"),
        (replace(GOOD, state="cancelled"), "not succeeded"),
        (replace(GOOD, result=result(60)), "wrong"),
        (replace(GOOD, result=None, state="failed", attempts=[attempt(1, "failed")]), "attempts were left"),
        (replace(GOOD, result=None, state="cancelled", attempts=[attempt(1, "cancelled")]), "nobody had asked"),
        (replace(GOOD, attempts=[]), "do not explain"),
        (replace(LOST, attempts=[attempt(2, "succeeded")]), "do not explain"),
        (replace(LOST, attempts=[attempt(1, "succeeded"), attempt(2, "succeeded")]), "do not explain"),
        (LOST, "no fault explains"),
    ],
)
def test_what_does_not_hold_is_named(row, what):
    assert any(what in each for each in whats(row))


def test_a_second_job_of_one_key_and_a_missing_text_of_a_batch_are_named():
    assert "doubled: one key, two jobs" in whats(GOOD, replace(GOOD, id="b"))
    ledger = Ledger()
    ledger.accepted_batch("batch", [0, 1])
    assert whats(replace(GOOD, batch="batch"), ledger=ledger) == ["lost: jobs of a batch that was accepted"]


def test_a_cancel_that_did_not_last_and_a_final_job_that_changed_are_named():
    ledger = Ledger()
    ledger.accepted("a", 0, "t")
    seen = {"id": "a", "state": "succeeded", "scores": [1]}
    ledger.saw(seen)
    ledger.saw({**seen, "scores": [2]})
    ledger.jobs["a"].told_cancelled = True
    assert whats(GOOD, ledger=ledger) == ["a cancel that was answered did not last", "a final job object changed"]
