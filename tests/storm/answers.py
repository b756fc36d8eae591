"""What the engine itself says of a text, without a queue, a database or a fault: graded in this process."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

from db.rubric import default_criteria
from db.work import Claimed
from worker.child import load_marker
from worker.settings import WorkerSettings

AT_ONCE = 64
# Points of 100. A batch's other texts change the order of sums, with int8 also what is rounded.
CLOSE = {"fake": 1e-3, "auto": 1.0}


def answers_of(texts: Mapping[int, str], settings: WorkerSettings) -> dict[int, dict[str, Any]]:
    """The columns of each text's result, by its number."""
    marker = load_marker(settings, "storm")
    out: dict[int, dict[str, Any]] = {}
    numbers, rubric = sorted(texts), uuid.uuid4()
    for start in range(0, len(numbers), AT_ONCE):
        some = numbers[start : start + AT_ONCE]
        held = [_claimed(texts[n], rubric) for n in some]
        done = {each.job_id: each for each in marker.mark(held)}
        for n, job in zip(some, held, strict=True):
            result = done[job.id].result
            assert result is not None, done[job.id].error
            out[n] = result
    return out


def same(mine: Mapping[str, Any], theirs: Mapping[str, Any], close: float) -> bool:
    """Whether two results say the same."""
    if mine["degraded"] != theirs["degraded"]:
        return False
    pairs = list(zip(mine["scores"], theirs["scores"], strict=True))
    if any(a["criterion"] != b["criterion"] for a, b in pairs):
        return False
    numbers = [(a["score"], b["score"]) for a, b in [*pairs, (mine["overall"], theirs["overall"])]]
    return all(math.isclose(a, b, rel_tol=0, abs_tol=close) for a, b in numbers)


def _claimed(text: str, rubric: uuid.UUID) -> Claimed:
    return Claimed(uuid.uuid4(), 1, True, False, text, None, rubric, default_criteria())
