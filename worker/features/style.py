"""More surface features: kinds of words, slips of grammar and spelling, and how varied a text is.

They were kept because they lower the error on English learners' essays (docs/grading.md). n is the number of words.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np
import re2

from worker.features.characters import DIGIT, count, inner_capitals
from worker.features.kinds import ENDINGS_AT, STYLE_AT
from worker.features.runs import different, runs, said_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.features.lexicon import Known
    from worker.features.text import Text

FEATURES = (
    "auxiliary_share",  # can could may might must shall should will would / n
    "subordinator_share",  # because although which ... / n
    "preposition_share",  # of in to for ... / n
    "article_share",  # the a an / n
    "second_person_share",  # you your yours / n
    "be_share",  # forms of to be / n
    "chat_share",  # u ur gonna alot ... / n
    "lost_apostrophes",  # dont cant im ... / n
    "wrong_articles",  # "a apple", "an book" / n
    "wrong_forms",  # "he have", "to went", "can goes" ... / n
    "inner_capitals",  # words with a capital that follow a small letter or a comma / n
    "digit_share",  # digits / n, at most 1
    "longest_sentence",  # words, at most 200
    "endless_share",  # sentences of more than 40 words / sentences
    "scrap_share",  # sentences of fewer than 6 words / sentences
    "unknown_types",  # different words that no list knows / n ** 0.5
    "pair_share",  # different pairs of neighbours / pairs
    "repeated_triples",  # runs of three words that come more than once / n
    "opening_share",  # different first words of sentences / sentences
    "zipf_quarter",  # Zipf frequency below which a quarter of the different known words lie
    "once_share",  # words that come once / n
    "noun_endings",  # words in -tion -ment -ness -ity -ance -ence -ism / n
    "ly_share",  # words in -ly / n
    "ing_share",  # words in -ing / n
    "ed_share",  # words in -ed / n
)
# RE2, searched in small letters: so many alternatives take Python's own search 16 times as long.
WRONG_ARTICLE = re2.compile(r"\ba [aeio][a-z]+|\ban [b-df-gj-np-tvwyz][a-z]*")
WRONG_FORM = re2.compile(
    r"\b(?:he|she|it) (?:have|do|go|want|need|are|were|don't|dont)\b"
    r"|\b(?:they|we|you) (?:is|was|has|does|doesn't)\b|\bi (?:is|are|has|were)\b"
    r"|\b(?:people|students|kids|children|parents|teachers) (?:is|was|has|does)\b"
    r"|\bto (?:went|did|was|were|had|made|got)\b|\b(?:more|most) \w+(?:er|est)\b"
    r"|\bdid(?:n't|nt)? (?:went|came|got|had|saw|made)\b"
    r"|\b(?:this|that) (?:are|were)\b|\b(?:these|those) (?:is|was)\b|\bmuch (?:people|students|things)\b"
    r"|\b(?:can|could|will|would|should|must|may|might) (?:to|is|are|was|has|had|going|being)\b",
)
OPENING, FIRST_OPENING = re.compile(r"[.!?]\s+([A-Za-z']+)"), re.compile(r"[A-Za-z']+")
LONGEST, ENDLESS, SCRAP = 200.0, 40, 6


def row(text: Text, types: Known, times: NDArray[np.intp]) -> list[float]:
    """The features of one text; `types` is what is known of its different words, each of which comes `times` times."""
    n = max(1, len(text.words))
    by_kind = text.known.kinds.sum(axis=0)
    return [
        *(by_kind[STYLE_AT] / n).tolist(),
        *_slips(text, n),
        *_sentences(text.sentences),
        *_variety(text.known, types, n),
        *_openings(text.text),
        *_rarity(types, times, n),
        *(by_kind[ENDINGS_AT] / n).tolist(),
    ]


def _slips(text: Text, n: int) -> list[float]:
    small = text.text.lower()
    found = (
        len(WRONG_ARTICLE.findall(small)),
        len(WRONG_FORM.findall(small)),
        inner_capitals(text.kinds),
        count(text.kinds, DIGIT),
    )
    return [min(each / n, 1.0) for each in found]


def _sentences(lengths: list[int]) -> list[float]:
    endless, scraps = (
        sum(test) / len(lengths) for test in ([s > ENDLESS for s in lengths], [s < SCRAP for s in lengths])
    )
    return [min(float(max(lengths)), LONGEST), endless, scraps]


def _variety(known: Known, types: Known, n: int) -> list[float]:
    pairs, triples = runs(known.code, 2), runs(known.code, 3)
    return [
        np.count_nonzero(types.zipf == 0) / math.sqrt(n),
        different(pairs) / max(1, len(pairs)),
        (len(triples) - said_once(triples)) / n,
    ]


def _openings(text: str) -> list[float]:
    start = FIRST_OPENING.match(text)
    first = [word.lower() for word in [*([start.group()] if start else []), *OPENING.findall(text)]]
    return [len(set(first)) / max(1, len(first))]


def _rarity(types: Known, times: NDArray[np.intp], n: int) -> list[float]:
    common = np.sort(types.zipf[types.zipf > 0])
    return [float(common[len(common) // 4]) if len(common) else 0.0, np.count_nonzero(times == 1) / n]
