"""What a text could change first: the features in which it is furthest from texts that people scored well."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.features.surface import FEATURES
from worker.head.traits import CRITERION_OF

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = Path(__file__).parent / "head" / "well_scored.json"
PLACES = {name: place for place, name in enumerate(FEATURES)}
LENGTH = PLACES["log_words"]
MOST = 2
# In standard deviations of the well-scored texts; nearer than this, most good writers differ too.
LEAST = 1.0


@dataclass(frozen=True)
class Aspect:
    """A feature that matters for a criterion: which side is bad, how it is shown, and what to do about it."""

    feature: str
    high_is_bad: bool
    advice: str  # with {own} and {good}
    shown: Callable[[float], float]


def _percent(share: float) -> float:
    return 100 * share


def _same(value: float) -> float:
    return value


WORDS = Aspect(
    "log_words", False, "Your text has {own} words; well-scored essays have about {good}: develop your points with examples.",
    math.expm1,
)  # fmt: skip
ASPECTS = {
    "Structure": (
        Aspect("connective_types", False, "You use {own} different linking words (such as because, however, finally); well-scored essays use {good}: show how your points hang together.", _same),
        Aspect("log_paragraphs", False, "Paragraphs in your text: {own}; in well-scored essays about {good}: give each main point its own.", math.exp),
        WORDS,
    ),
    "Clarity": (
        Aspect("sentence_mean", True, "Your sentences average {own} words; in well-scored essays {good}: split the longest ones.", _same),
        Aspect("sentence_mean", False, "Your sentences average {own} words; in well-scored essays {good}: join some with because, although or which.", _same),
        Aspect("repeated_word_share", True, "A word stands twice in a row {own} times in 100 words; in well-scored essays {good}: read the text aloud once.", _percent),
        Aspect("spacing_errors", True, "Spaces around commas and full stops are wrong {own} times in 100 words; in well-scored essays {good}: put one space after each mark and none before it.", _percent),
    ),
    "Relevance": (WORDS,),
    "Academic_Writing": (
        Aspect("unknown_share", True, "Of 100 words {own} are in no dictionary; in well-scored essays {good}: check the spelling.", _percent),
        Aspect("lone_i", True, "The word I is written small {own} times in 100 words; in well-scored essays {good}: write it large.", _percent),
        Aspect("small_starts", True, "Of 100 sentences {own} begin with a small letter; in well-scored essays {good}: begin each with a capital.", _percent),
        Aspect("long_share", False, "Of 100 words {own} are longer than seven letters; in well-scored essays {good}: replace everyday words with exact ones.", _percent),
        Aspect("moving_type_share", False, "Of 50 words in a row {own} are different; in well-scored essays {good}: find other words for those that come back.", lambda share: 50 * share),
        Aspect("exclamation_share", True, "You use {own} exclamation marks in 100 words; in well-scored essays there are {good}: let the words carry the weight.", _percent),
    ),
}  # fmt: skip


def compared(criterion: dict[str, Any], row: NDArray[np.float64]) -> list[str]:
    """At most two sentences on a text's surface features (F,), the furthest first; none where it is like good texts."""
    name = str(criterion.get("measures") or criterion["name"])
    name = CRITERION_OF.get(name, name)
    said = (_said(aspect, row, name) for aspect in ASPECTS.get(name, ()))
    return [advice for _, advice in sorted((each for each in said if each), reverse=True)[:MOST]]


def _said(aspect: Aspect, row: NDArray[np.float64], criterion: str) -> tuple[float, str] | None:
    """How far a text is on the bad side, and what to do about it; None when it is not far enough."""
    mean, sd = _typical(criterion, aspect.feature, float(row[LENGTH]))
    own = float(row[PLACES[aspect.feature]])
    z = (own - mean) / sd if aspect.high_is_bad else (mean - own) / sd
    if z < LEAST:
        return None
    shown = [_number(aspect.shown(value)) for value in (own, mean)]
    # Numbers that read the same would make the advice look foolish.
    return (z, aspect.advice.format(own=shown[0], good=shown[1])) if shown[0] != shown[1] else None


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 2 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _typical(criterion: str, feature: str, log_words: float) -> tuple[float, float]:
    """Mean and standard deviation among well-scored texts of about the same length."""
    known = _well_scored()
    band = bisect_right(known["edges"], math.expm1(log_words))
    mean, sd = known["criteria"][criterion][feature][band]
    return float(mean), max(float(sd), 1e-6)


@lru_cache(maxsize=1)
def _well_scored() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))
