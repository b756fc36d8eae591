"""Whether a rubric's scores still spread as its calibration led one to expect: the population stability index (PSI).

The reference is what the head gave the graded examples while it had not seen them: the points of the calibration's report.
Their fifths are the bins. Without drift, PSI / (1/n + 1/m) of n examples and m results follows chi-square with bins - 1
degrees of freedom (Yurdakul 2018, "Statistical properties of population stability index"), which says how much of it may be
chance.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from api import gauges
from db.figures import hurried
from db.scores import RubricScores, Spread, newest_scores, references
from db.session import Database

# Every so many seconds a process looks again.
LOOK_S = 60.0
FIFTHS = 5
FEWEST_EXAMPLES, FEWEST_RESULTS = 30, 50
# Chi-square's quantiles of 0.999 by degrees of freedom
CHANCE = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47}
OVERALL = "(overall)"


@dataclass(frozen=True)
class Drift:
    """`psi`, and the value that it exceeds by chance once in a thousand times."""

    psi: float
    noise: float


def drift(expected: Spread, seen: Spread) -> Drift | None:
    """None where there are too few of either, or all examples were given the same score."""
    n, m = expected.total(), seen.total()
    edges = _fifths(expected)
    if n < FEWEST_EXAMPLES or m < FEWEST_RESULTS or not edges:
        return None
    bins = len(edges) + 1
    psi = 0.0
    for a, b in zip(_counts(expected, edges), _counts(seen, edges), strict=True):
        # Half a text more in each bin: none is empty.
        before, now = (a + 0.5) / (n + 0.5 * bins), (b + 0.5) / (m + 0.5 * bins)
        psi += (now - before) * math.log(now / before)
    return Drift(psi, CHANCE[bins - 1] * (1 / n + 1 / m))


def _fifths(spread: Spread) -> list[int]:
    """The values that end each fifth of them but the last; fewer where many are the same."""
    values = sorted(spread.elements())
    below = [value for value in values if value < values[-1]]
    if not below or len(values) < FIFTHS:
        return []
    return sorted({min(below[-1], values[len(values) * k // FIFTHS - 1]) for k in range(1, FIFTHS)})


def _counts(spread: Spread, edges: Sequence[int]) -> list[int]:
    counts = [0] * (len(edges) + 1)
    for value, count in spread.items():
        counts[bisect_left(edges, value)] += count
    return counts


def label_of(rubric: RubricScores) -> str:
    """`name@version`; with the end of its id where another tenant's may have the same name."""
    if rubric.rubric_id is None:
        return rubric.name
    return f"{rubric.name}@{rubric.version}" + ("" if rubric.built_in else f"-{rubric.rubric_id.hex[-8:]}")


class Spreads:
    """The newest scores of all rubrics, looked at now and then, and what was expected of them."""

    def __init__(self, database: Database, rubrics: int, statement_ms: int, look_s: float = LOOK_S) -> None:
        self._database, self._rubrics, self._statement_ms, self._look_s = database, rubrics, statement_ms, look_s
        self._references: dict[uuid.UUID, dict[str | None, Spread]] = {}
        self._known: list[RubricScores] = []
        self._due = 0.0
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """The families. DatabaseAway, or TookTooLong; then the next scrape tries again."""
        with self._lock:
            if time.monotonic() >= self._due:
                self._look()
                self._due = time.monotonic() + self._look_s
            known, expected = self._known, self._references
        yield gauges.SCORES.of(_spread(known))
        found = dict(_drifts(known, expected))
        yield gauges.PSI.of({labels: each.psi for labels, each in found.items()})
        yield gauges.NOISE.of({labels: each.noise for labels, each in found.items()})

    def _look(self) -> None:
        with hurried(self._database, self._statement_ms) as session:
            known = newest_scores(session, self._rubrics)
            active = {each.calibration_id for each in known if each.calibration_id}
            # A calibration never changes once it is made.
            kept = {key: spread for key, spread in self._references.items() if key in active}
            if new := active - kept.keys():
                made = references(session, sorted(new))
                kept |= {key: made.get(key, {}) for key in new}
        self._known, self._references = known, kept


def _spread(known: Sequence[RubricScores]) -> dict[tuple[str, ...], float]:
    out: Counter[tuple[str, ...]] = Counter()
    for rubric in known:
        for criterion, spread in rubric.spreads.items():
            labels = label_of(rubric), criterion or OVERALL
            out.update({(*labels, str(fifth)): 0 for fifth in range(1, FIFTHS + 1)})
            for value, count in spread.items():
                out[(*labels, str(min(FIFTHS, 1 + value * FIFTHS // 100)))] += count
    return dict(out)


def _drifts(
    known: Sequence[RubricScores], expected: Mapping[uuid.UUID, Mapping[str | None, Spread]]
) -> Iterator[tuple[tuple[str, ...], Drift]]:
    for rubric in known:
        of_it = expected.get(rubric.calibration_id, {}) if rubric.calibration_id else {}
        for criterion, spread in rubric.spreads.items():
            found = drift(of_it[criterion], spread) if criterion in of_it else None
            if found:
                yield (label_of(rubric), criterion or OVERALL), found
