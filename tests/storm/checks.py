"""What must hold when the storm is over. Each check returns the ids of those that it does not hold for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.storm.answers import same
from tests.storm.ground import Ground
from tests.storm.ledger import Ledger

FINAL = ("succeeded", "failed", "cancelled")
BACK = ("lost", "handed_back")  # attempts that ended without a result, and put the job back


@dataclass(frozen=True)
class Hit:
    """A fault that was done. Times are the database's clock, which is this machine's."""

    kind: str
    said: str
    began: datetime
    ended: datetime


@dataclass(frozen=True)
class Row:
    """All that is kept of one job."""

    id: str
    number: int
    batch: str | None
    state: str
    attempt: int
    lease: bool
    in_window: bool
    error: dict[str, Any] | None
    text: str
    result: dict[str, Any] | None
    attempts: Sequence[dict[str, Any]]


ROWS = """
SELECT j.id::text, j.external_id::int, j.batch_id::text, j.state, j.attempt, j.lease_until IS NOT NULL,
    j.dispatched_at IS NOT NULL, j.error, s.text, to_jsonb(r),
    coalesce((SELECT jsonb_agg(to_jsonb(a) ORDER BY a.number) FROM attempt a WHERE a.job_id = j.id), '[]')
FROM job j JOIN submission s ON s.id = j.submission_id JOIN tenant t ON t.id = j.tenant_id
LEFT JOIN result r ON r.job_id = j.id WHERE t.name LIKE 'storm-%%' ORDER BY j.id
"""


def rows_of(ground: Ground) -> list[Row]:
    return [Row(*row) for row in ground.query(ROWS)]


@dataclass(frozen=True)
class Finding:
    """Something that does not hold, and for which ids (or what else says where to look)."""

    what: str
    ids: Sequence[str]


def findings(
    rows: Sequence[Row], ledger: Ledger, answers: Mapping[int, Mapping[str, Any]], texts: Mapping[int, str],
    hits: Sequence[Hit], max_attempts: int, close: float, keyed: bool,
) -> list[Finding]:  # fmt: skip
    """All that does not hold; empty after a storm that lost nothing."""
    by_id = {row.id: row for row in rows}
    found = [
        Finding("stuck: neither final nor on its way", [r.id for r in rows if r.state not in FINAL]),
        Finding("a lease is left", [r.id for r in rows if r.lease]),
        Finding("still in the window", [r.id for r in rows if r.in_window]),
        Finding("lost: a job that was accepted is not there", [i for i in ledger.jobs if i not in by_id]),
        Finding("lost: jobs of a batch that was accepted", list(_short_batches(rows, ledger))),
        Finding("another text than the one handed in", [r.id for r in rows if r.text != texts[r.number]]),
        Finding("succeeded without a result", [r.id for r in rows if r.state == "succeeded" and not r.result]),
        Finding("a result, but not succeeded", [r.id for r in rows if r.state != "succeeded" and r.result]),
        Finding("wrong: not the engine's answer", [r.id for r in rows if _wrong(r, answers, close)]),
        Finding("attempt rows do not explain the job", [r.id for r in rows if not _explained(r)]),
        Finding("failed although attempts were left", [r.id for r in rows if _failed_early(r, max_attempts)]),
        Finding("cancelled, and nobody had asked for it", list(_unasked(rows, ledger))),
        Finding("a cancel that was answered did not last", list(_undone(by_id, ledger))),
        Finding("a final job object changed", ledger.changed),
        Finding("an attempt was lost, and no fault explains it", list(_unexplained(rows, hits))),
        Finding("answers that no fault excuses", ledger.odd),
    ]
    if keyed:
        found.append(Finding("doubled: one key, two jobs", list(_doubled(rows))))
    return [each for each in found if each.ids]


def _short_batches(rows: Sequence[Row], ledger: Ledger) -> Iterator[str]:
    """Each text of a batch is one job of it: none is missing, none is there twice."""
    numbers = defaultdict(list)
    for row in rows:
        if row.batch:
            numbers[row.batch].append(row.number)
    return (batch for batch, sent in ledger.batches.items() if sorted(numbers[batch]) != sorted(sent))


def _wrong(row: Row, answers: Mapping[int, Mapping[str, Any]], close: float) -> bool:
    return row.result is not None and not same(row.result, answers[row.number], close)


def _explained(row: Row) -> bool:
    """Attempts 1 to n have a row each; one at most succeeded: the last one, whose result it is."""
    outcomes = [a["outcome"] for a in row.attempts]
    if [a["number"] for a in row.attempts] != list(range(1, row.attempt + 1)) or "running" in outcomes:
        return False
    if row.state == "succeeded":
        last = bool(outcomes) and outcomes[-1] == "succeeded" and outcomes.count("succeeded") == 1
        return last and row.result is not None and row.result["attempt"] == row.attempt
    return "succeeded" not in outcomes


def _failed_early(row: Row, max_attempts: int) -> bool:
    """Every text can be graded, so that only a job whose workers were lost again and again may fail."""
    return row.state == "failed" and sum(a["outcome"] in BACK for a in row.attempts) < max_attempts


def _unasked(rows: Sequence[Row], ledger: Ledger) -> Iterator[str]:
    for row in rows:
        promise = ledger.jobs.get(row.id)
        if row.state == "cancelled" and promise is not None and not promise.perhaps:
            yield row.id


def _undone(rows: Mapping[str, Row], ledger: Ledger) -> Iterator[str]:
    for job_id, promise in ledger.jobs.items():
        if promise.told_cancelled and job_id in rows and rows[job_id].state != "cancelled":
            yield job_id


def _unexplained(rows: Sequence[Row], hits: Sequence[Hit]) -> Iterator[str]:
    """A fault must have struck between an attempt's beginning and its being taken back."""
    for row in rows:
        for attempt in row.attempts:
            if attempt["outcome"] in BACK:
                began, ended = (datetime.fromisoformat(attempt[name]) for name in ("started_at", "finished_at"))
                if not any(hit.began <= ended and hit.ended >= began for hit in hits):
                    yield f"{row.id} attempt {attempt['number']}"


def _doubled(rows: Sequence[Row]) -> Iterator[str]:
    times = Counter(row.number for row in rows)
    return (row.id for row in rows if times[row.number] > 1)
