"""How scores are spread: those that rubrics gave lately, and those that their calibrations led one to expect."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from db.rubric import INLINE

RECENT_DAYS = 7
# Of each rubric version the newest results, by what scores it now; rubrics are found among so many newest jobs of all.
NEWEST, SEEN = 200, 2000

# Rubrics with a calibration in use, and those of the newest jobs, without those that came inside jobs. Those used last come
# first.
# Rows are looked up one by one (LATERAL and LIMIT): PostgreSQL would rather read the whole of a table for a few thousand.
CHOSEN = """
WITH known AS (
    (SELECT rubric_id FROM calibration WHERE active ORDER BY id DESC LIMIT :rubrics)
    UNION
    SELECT rubric_id FROM (
        SELECT rubric_id FROM job WHERE finished_at > now() - make_interval(days => :days)
        ORDER BY finished_at DESC LIMIT :seen) j
), chosen AS (
    SELECT r.id, r.name, r.version, r.tenant_id, r.criteria, k.id AS calibration_id
    FROM known CROSS JOIN LATERAL (SELECT * FROM rubric WHERE id = known.rubric_id LIMIT 1) r
    LEFT JOIN calibration k ON k.rubric_id = r.id AND k.active
    CROSS JOIN LATERAL (
        SELECT finished_at FROM job WHERE rubric_id = r.id AND state = 'succeeded'
            AND finished_at > now() - make_interval(days => :days) ORDER BY finished_at DESC LIMIT 1) newest
    WHERE NOT starts_with(r.name, :inline) ORDER BY newest.finished_at DESC LIMIT :rubrics
)
"""
# A score is told as hundredths of its scale: so a thousand results come as a hundred rows.
# What is no number has none: one odd result must not hide all others.
HUNDREDTH = """CASE WHEN jsonb_typeof({of}->'score') = 'number' THEN round(100 * (({of}->>'score')::float8
    - ({of}->>'min')::float8) / nullif(({of}->>'max')::float8 - ({of}->>'min')::float8, 0)) END"""
SCORES = text(f"""{CHOSEN}, newest AS (
    SELECT c.id, q.scores, q.overall FROM chosen c CROSS JOIN LATERAL (
        SELECT j.id FROM job j WHERE j.rubric_id = c.id AND j.state = 'succeeded'
            AND j.finished_at > now() - make_interval(days => :days) ORDER BY j.finished_at DESC LIMIT :newest) j
    CROSS JOIN LATERAL (SELECT * FROM result WHERE job_id = j.id LIMIT 1) q
    WHERE NOT q.degraded AND q.scored_by->>'calibration' IS NOT DISTINCT FROM c.calibration_id::text
), each AS (
    SELECT id, s->>'criterion' AS criterion, {HUNDREDTH.format(of="s")} AS hundredth
    FROM newest CROSS JOIN LATERAL jsonb_array_elements(scores) s
    UNION ALL
    SELECT id, NULL, {HUNDREDTH.format(of="overall")} FROM newest
)
SELECT c.id, c.name, c.version, c.tenant_id, c.calibration_id, e.criterion, e.hundredth::int, count(*) AS results
FROM each e JOIN chosen c USING (id) WHERE e.hundredth IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7
""")  # noqa: S608 - constants of this module
INLINE_SCORES = text(f"""
SELECT {HUNDREDTH.format(of="q.overall")}::int AS hundredth, count(*) AS results FROM (
    SELECT id, rubric_id FROM job WHERE finished_at > now() - make_interval(days => :days)
    ORDER BY finished_at DESC LIMIT :seen) j
CROSS JOIN LATERAL (SELECT FROM rubric WHERE id = j.rubric_id AND starts_with(name, :inline) LIMIT 1) r
CROSS JOIN LATERAL (SELECT overall FROM result WHERE job_id = j.id AND NOT degraded LIMIT 1) q
GROUP BY 1
""")  # noqa: S608
# The second of each pair is what the head gave a graded text that it had not seen (worker/report/whole.py).
REFERENCES = text("""
SELECT k.id, f.criterion, round(100 * ((p->>1)::float8 - f.low) / nullif(f.high - f.low, 0))::int AS hundredth,
    count(*) AS examples
FROM calibration k CROSS JOIN LATERAL (
    SELECT key AS criterion, value AS figures FROM jsonb_each(k.report->'criteria')
    UNION ALL SELECT NULL, k.report->'overall' WHERE jsonb_typeof(k.report->'overall') = 'object'
) c CROSS JOIN LATERAL (
    SELECT c.criterion, c.figures->'points' AS points, (c.figures->'scale'->>'min')::float8 AS low,
        (c.figures->'scale'->>'max')::float8 AS high
) f CROSS JOIN LATERAL jsonb_array_elements(f.points) p
WHERE k.id = ANY(:ids) AND k.report IS NOT NULL AND f.high > f.low GROUP BY 1, 2, 3
""")

# How often each hundredth of a scale was given
Spread = Counter[int]


@dataclass
class RubricScores:
    """Of a rubric version (None: of all that came inside jobs) how scores spread, by criterion; None is the overall score."""

    rubric_id: uuid.UUID | None
    name: str
    version: int
    built_in: bool
    calibration_id: uuid.UUID | None
    spreads: dict[str | None, Spread] = field(default_factory=dict)


def newest_scores(session: Session, rubrics: int) -> list[RubricScores]:
    """Of the `rubrics` versions that were used last: the newest results by what scores them now, degraded ones left out."""
    values = {"days": RECENT_DAYS, "seen": SEEN, "inline": INLINE}
    found: dict[uuid.UUID, RubricScores] = {}
    for row in session.execute(SCORES, {**values, "rubrics": rubrics, "newest": NEWEST}):
        made = RubricScores(row.id, row.name, row.version, row.tenant_id is None, row.calibration_id)
        spread = found.setdefault(row.id, made).spreads.setdefault(row.criterion, Counter())
        spread[min(100, max(0, row.hundredth))] += row.results
    rows = session.execute(INLINE_SCORES, values).all()
    inline = Counter({row.hundredth: row.results for row in rows if row.hundredth is not None})
    whole = RubricScores(None, "inline", 0, True, None, {None: inline})
    return [*found.values(), *([whole] if inline else [])]


def references(session: Session, calibrations: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str | None, Spread]]:
    """What the heads of calibrations gave the graded examples while they had not seen them; by calibration and criterion.

    A calibration that nobody's grades have taught has none.
    """
    found: dict[uuid.UUID, dict[str | None, Spread]] = {}
    for row in session.execute(REFERENCES, {"ids": list(calibrations)}):
        spread = found.setdefault(row.id, {}).setdefault(row.criterion, Counter())
        spread[min(100, max(0, row.hundredth))] += row.examples
    return found
