"""More surface features: kinds of words, slips of grammar and spelling, and how varied a text is.

They were kept because they lower the error on English learners' essays (docs/grading.md). n is the number of words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import re2

from worker.features.characters import DIGIT, inner_capitals
from worker.features.kinds import ENDINGS_AT, STYLE_AT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.features.joined import Joined

    Array = NDArray[np.float64]

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


def columns(joined: Joined) -> list[Array]:
    """The features of k texts, (k,) each."""
    return [
        *(joined.by_kind[:, STYLE_AT].T / joined.n),
        *_slips(joined),
        *np.array([_sentences(text.sentences) for text in joined.texts]).T,
        *_variety(joined),
        np.array([_openings(text.text) for text in joined.texts]),
        _zipf_quarter(joined),
        joined.counts(joined.types[1]) / joined.n,
        *(joined.by_kind[:, ENDINGS_AT].T / joined.n),
    ]


def _slips(joined: Joined) -> list[Array]:
    small = [text.text.lower() for text in joined.texts]
    found = (
        np.array([len(WRONG_ARTICLE.findall(text)) for text in small]),
        np.array([len(WRONG_FORM.findall(text)) for text in small]),
        joined.marks(inner_capitals(joined.kinds)),
        joined.marks(np.flatnonzero(joined.kinds & DIGIT)),
    )
    return [np.minimum(each / joined.n, 1.0) for each in found]


def _sentences(lengths: list[int]) -> list[float]:
    endless, scraps = (
        sum(test) / len(lengths) for test in ([s > ENDLESS for s in lengths], [s < SCRAP for s in lengths])
    )
    return [min(float(max(lengths)), LONGEST), endless, scraps]


def _variety(joined: Joined) -> list[Array]:
    types, (pairs, different, _), (triples, _, once) = joined.types[0], joined.runs(2), joined.runs(3)
    unknown = joined.counts(types[joined.known.zipf[types] == 0])
    return [unknown / np.sqrt(joined.n), different / np.maximum(1, pairs), (triples - once) / joined.n]


def _openings(text: str) -> float:
    start = FIRST_OPENING.match(text)
    first = [word.lower() for word in [*([start.group()] if start else []), *OPENING.findall(text)]]
    return len(set(first)) / max(1, len(first))


def _zipf_quarter(joined: Joined) -> Array:
    types = joined.types[0]
    known = types[joined.known.zipf[types] > 0]
    common = np.append(joined.known.zipf[known[np.lexsort((joined.known.zipf[known], joined.of[known]))]], 0.0)
    counts = joined.counts(known)
    return np.where(counts > 0, common[np.cumsum(counts) - counts + counts // 4], 0.0)
