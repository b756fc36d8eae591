"""What a text could change first: the features in which it is furthest from texts that people scored well."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.features.surface import FEATURES
from worker.head.traits import CRITERION_OF

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

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


def compared(criterion: dict[str, Any], counted: Array) -> list[list[str]]:
    """For each text, at most two sentences on its surface features (n, F), the furthest first; none where it is like
    good texts.
    """
    out: list[list[str]] = [[] for _ in counted]
    name = str(criterion.get("measures") or criterion["name"])
    name = CRITERION_OF.get(name, name)
    aspects = ASPECTS.get(name, ())
    if not aspects:
        return out
    own, good, far = _distances(name, aspects, counted)
    rows, places = np.nonzero(far >= LEAST)
    for k in np.lexsort((-far[rows, places], rows)):  # text by text, the furthest first
        row, place = rows[k], places[k]
        if len(out[row]) < MOST:
            out[row] += _said(aspects[place], float(own[row, place]), float(good[row, place]))
    return out


def _distances(name: str, aspects: Sequence[Aspect], counted: Array) -> tuple[Array, Array, Array]:
    """(n, A) each: the texts' own features, those of good texts of about their length, and how many standard deviations
    of these lie between them, to the bad side.
    """
    known = _well_scored()
    bands = np.searchsorted(known["edges"], np.expm1(counted[:, LENGTH]), side="right")
    typical = np.array([known["criteria"][name][aspect.feature] for aspect in aspects], np.float64)[:, bands]
    own, good = counted[:, [PLACES[aspect.feature] for aspect in aspects]], typical[:, :, 0].T
    bad = np.array([1.0 if aspect.high_is_bad else -1.0 for aspect in aspects])
    return own, good, bad * (own - good) / np.maximum(typical[:, :, 1].T, 1e-6)


def _said(aspect: Aspect, own: float, good: float) -> list[str]:
    shown = [_number(aspect.shown(value)) for value in (own, good)]
    # Numbers that read the same would make the advice look foolish.
    return [aspect.advice.format(own=shown[0], good=shown[1])] if shown[0] != shown[1] else []


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 2 or abs(value - round(value)) < 0.05 else f"{value:.1f}"


@lru_cache(maxsize=1)
def _well_scored() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text()))
