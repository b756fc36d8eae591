"""How well the machine's scores agree with those of the people who reviewed them, over time.

Names and formulas are those of the report (RSMTool's). Quadratic weighted kappa needs no table of counts: with places a and b,
the sum of observed weights is n * mean((a - b)^2), that of expected ones n * (mean(a^2) + mean(b^2) - 2 mean(a) mean(b)), and
kappa is 1 less their quotient. So the database computes it, and the API needs no numerical library.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.rubric import Rubric

# A scale without steps is compared in whole points if all reviews are whole and it has at most 100, or else in 20 steps, as
# the worker does (worker/head/agreement.py).
AGREE = text("""
WITH scale AS (
    SELECT name, "min" AS low, "max" AS high, step FROM jsonb_to_recordset(CAST(:criteria AS jsonb))
        AS x(name text, "min" float8, "max" float8, step float8)
), pair AS (
    SELECT scale.*, date_trunc(CAST(:period AS text), r.reviewed_at) AS period, CAST(given.value AS float8) AS human,
        CAST(made.score->>'score' AS float8) AS machine
    FROM result r JOIN job j ON j.id = r.job_id AND j.rubric_id = :rubric
    CROSS JOIN LATERAL jsonb_each_text(r.review->'scores') given
    JOIN LATERAL jsonb_array_elements(r.scores) AS made(score) ON made.score->>'criterion' = given.key
    JOIN scale ON scale.name = given.key
    WHERE r.tenant_id = :tenant AND r.reviewed_at IS NOT NULL
        AND r.reviewed_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
), step AS (
    SELECT name, coalesce(max(step), CASE
        WHEN max(high - low) <= 100 AND bool_and(abs(human - low - round(human - low)) < 1e-6) THEN 1
        ELSE max(high - low) / 20 END) AS width
    FROM pair GROUP BY name
), placed AS (
    SELECT name, period, human, machine,
        least(greatest(round((human - low) / width), 0), round((high - low) / width)) AS a,
        least(greatest(round((machine - low) / width), 0), round((high - low) / width)) AS b
    FROM pair JOIN step USING (name)
)
SELECT name, period, count(*) AS n, avg((a - b) ^ 2) AS observed,
    avg(a ^ 2) + avg(b ^ 2) - 2 * avg(a) * avg(b) AS expected,
    CASE WHEN stddev_pop(human) > 0 AND stddev_pop(machine) > 0 THEN corr(human, machine) END AS pearson,
    (avg(machine) - avg(human)) / nullif(stddev_samp(human), 0) AS smd,
    avg(CASE WHEN a = b THEN 1.0 ELSE 0.0 END) AS exact, avg(CASE WHEN abs(a - b) <= 1 THEN 1.0 ELSE 0.0 END) AS adjacent,
    sqrt(avg((human - machine) ^ 2)) AS rmse, (stddev_pop(a) > 0 OR stddev_pop(b) > 0) AS varies
FROM placed GROUP BY GROUPING SETS ((name), (name, period)) ORDER BY period NULLS FIRST, name
""")


@dataclass(frozen=True)
class Agreement:
    """The figures of one criterion; `period` is the beginning of its time, None for all of it."""

    criterion: str
    period: datetime | None
    figures: dict[str, Any]


def agreement(
    session: Session, tenant_id: uuid.UUID, rubric: Rubric, period: str, since: datetime | None
) -> list[Agreement]:
    """Of one rubric version, for all time and by period (day, week, month, year), from each job's last decision."""
    values = {
        "criteria": json.dumps(rubric.criteria), "rubric": rubric.id, "tenant": tenant_id, "period": period, "since": since
    }  # fmt: skip
    rows = session.execute(AGREE, values).all()
    return [Agreement(row.name, row.period, _figures(row)) for row in rows]


def _figures(row: Any) -> dict[str, Any]:
    kappa = 1 - row.observed / row.expected if row.varies and row.expected else None
    rounded = {"qwk": kappa, **{name: getattr(row, name) for name in ("pearson", "smd", "exact", "adjacent", "rmse")}}
    return {"n": row.n, **{name: None if v is None else round(float(v), 4) for name, v in rounded.items()}}
