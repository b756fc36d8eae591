"""What a calibration learns from: the graded examples and the cohort of a body, looked at before anything is stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.calibration_bodies import CohortBatch, ExampleBody, NewCalibrationBody
from api.errors import InvalidRequest
from api.problems import MOST_ERRORS
from db import calibrations, reviews
from db.baselines import FEWEST
from db.calibrations import NewExample
from db.errors import BatchNotFound
from db.rubric import Rubric

FEWEST_EXAMPLES = 10
MOST_EXAMPLES = 5000
Scales = Mapping[str, Mapping[str, Any]]  # the criteria of a rubric by their names


def lessons_of(session: Session, tenant_id: uuid.UUID, rubric: Rubric, body: NewCalibrationBody) -> list[NewExample]:
    """The examples, then the cohort. InvalidRequest says what is wrong with them, and where."""
    scales = scales_of(rubric)
    wrong = [
        {"loc": ["examples", n, rater, name], "msg": message}
        for n, example in enumerate(body.examples)
        for rater, name, message in misfits(example, scales)
    ]
    if wrong:
        raise InvalidRequest(f"{'.'.join(str(p) for p in wrong[0]['loc'])}: {wrong[0]['msg']}", wrong[:MOST_ERRORS])
    if isinstance(body.cohort, CohortBatch):
        alone = not body.examples and not body.source
        cohort = _of_batch(session, tenant_id, uuid.UUID(body.cohort.batch), FEWEST if alone else 1)
    else:
        cohort = [NewExample(each.text) for each in body.cohort or []]
    if len(body.examples) + len(cohort) > MOST_EXAMPLES * 2 or len(cohort) > MOST_EXAMPLES:
        raise InvalidRequest(
            f"A cohort has at most {MOST_EXAMPLES:,} submissions.", [{"loc": ["cohort"], "msg": "too many"}]
        )
    graded = [_graded(e) for e in body.examples]
    if body.source:
        graded += reviews.examples(session, tenant_id, rubric, MOST_EXAMPLES - len(graded))
    enough = len(graded) >= FEWEST_EXAMPLES or (not graded and len(cohort) >= FEWEST and not body.source)
    if not enough:
        raise InvalidRequest(
            f"A calibration needs at least {FEWEST_EXAMPLES} graded examples (here: {len(graded)}), or a cohort of "
            f"at least {FEWEST} ungraded submissions (here: {len(cohort)}).",
            [{"loc": ["examples"], "msg": f"at least {FEWEST_EXAMPLES}"}],
        )
    _every_criterion(graded, rubric)
    return graded + cohort


def _of_batch(session: Session, tenant_id: uuid.UUID, batch_id: uuid.UUID, fewest: int) -> list[NewExample]:
    """The texts of a batch. InvalidRequest when there is none, or why it gives too few."""
    at: list[str | int] = ["cohort", "batch"]
    try:
        cohort = calibrations.batch_cohort(session, tenant_id, batch_id, MOST_EXAMPLES)
    except BatchNotFound as error:
        raise InvalidRequest(f"The cohort: {error}.", [{"loc": at, "msg": str(error)}]) from error
    if len(cohort) < fewest:
        total, erased, unread = calibrations.no_texts(session, tenant_id, batch_id)
        message = (
            f"the batch gives {len(cohort)} texts and at least {fewest} are needed; it has {total} (erased: {erased}; files that "
            f"no worker has read yet: {unread}). Take another batch, send the texts, or wait until its files are graded"
        )
        raise InvalidRequest(f"The cohort: {message}.", [{"loc": at, "msg": message}])
    return cohort


def _graded(example: ExampleBody) -> NewExample:
    second, groups = example.scores_2 or None, example.groups or None
    return NewExample(example.text, dict(example.scores), scores_2=second, groups=groups)


def scales_of(rubric: Rubric) -> Scales:
    return {criterion["name"]: criterion for criterion in rubric.criteria}


def misfits(example: ExampleBody, scales: Scales) -> Iterator[tuple[str, str, str]]:
    """Scores that a rubric has no place for: the rater's field, the criterion, and why."""
    given = [("scores", example.scores), ("scores_2", example.scores_2 or {})]
    for rater, name, score in ((rater, *each) for rater, scores in given for each in scores.items()):
        scale = scales.get(name)
        if scale is None:
            yield rater, name, f"the rubric has {', '.join(scales)}"
        elif not scale["min"] <= score <= scale["max"]:
            yield rater, name, f"{score:g} is not on the scale {scale['min']:g} to {scale['max']:g}"


def _every_criterion(examples: Sequence[NewExample], rubric: Rubric) -> None:
    """A criterion with some graded examples needs enough of them; one of the teacher's own can't do without."""
    for criterion in rubric.criteria:
        name = criterion["name"]
        graded = sum(name in (e.scores or {}) for e in examples)
        if graded < FEWEST_EXAMPLES and (graded or criterion.get("measures") is None):
            raise InvalidRequest(
                f"'{name}' is graded in {graded} examples; it needs {FEWEST_EXAMPLES}.",
                [{"loc": ["examples", name], "msg": f"at least {FEWEST_EXAMPLES} scores"}],
            )
