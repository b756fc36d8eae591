"""What the database of a stack says of jobs: exact times, without asking the API and so without loading it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home

RUN = """
SELECT count(*) AS jobs, count(*) FILTER (WHERE j.state = 'succeeded' AND NOT r.degraded) AS good,
    extract(epoch FROM min(a.started_at)) AS first_claim, extract(epoch FROM max(j.finished_at)) AS last_row,
    sum(1.0 / a.batch_size) AS calls
FROM job j LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempt LEFT JOIN result r ON r.job_id = j.id
WHERE j.batch_id = ANY(%s::uuid[])
"""


@dataclass(frozen=True)
class Run:
    """What became of the jobs of some batches. `calls`: of the engine, about."""

    jobs: int
    seconds: float  # from the first claim to the last finished row
    calls: float

    @property
    def per_s(self) -> float:
        return self.jobs / self.seconds


def url_of(home: Home) -> str:
    """The database of a stack."""
    return postgres.url(home, home.read()["ports"]["postgres"])


def redis_url_of(home: Home) -> str:
    """The broker of a stack."""
    return valkey.url(home, home.read()["ports"]["valkey"])


def one(home: Home, query: str, values: Sequence[Any] = ()) -> Any:
    """The first row of an answer."""
    with psycopg.connect(url_of(home), autocommit=True) as connection:
        return connection.execute(query, values).fetchone()


def run_of(home: Home, batches: Sequence[str]) -> Run:
    """What the rows of batches that have finished say; SystemExit unless every job succeeded, with the engine."""
    jobs, good, first, last, calls = one(home, RUN, (list(batches),))
    if jobs != good:
        raise SystemExit(f"{good} of {jobs} jobs succeeded")
    return Run(jobs, float(last) - float(first), float(calls or 0))
