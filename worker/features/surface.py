"""Surface features: what can be counted in a text and moves human raters. Each is a named number, finite for any text.

n is the number of words, counted as runs of letters and apostrophes; sentences end in . ! or ?; paragraphs at line breaks.
What a text says again word for word (repeats.py) is left out before anything is counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features import style
from worker.features.characters import lone_small_i, marks_after_space, marks_before_letter
from worker.features.kinds import CONNECTIVE, FIRST
from worker.features.repeats import once
from worker.features.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.features.lexicon import Known

LOWER_AFTER_STOP = re.compile(r"[.!?]\s+[a-z]")
LONG_WORD = 7
TTR_SPAN = 50
RARE_ZIPF, UNUSUAL_ZIPF = 3.5, 4.5

FEATURES = (
    "log_words",  # ln(n + 1)
    "root_words",  # n ** 0.5
    "log_sentences",  # ln(sentences + 1)
    "sentence_mean",  # words a sentence
    "sentence_sd",  # standard deviation of words a sentence
    "type_share",  # different words / n
    "guiraud",  # different words / n ** 0.5
    "moving_type_share",  # mean of different words / 50 over windows of 50 words, every 25
    "word_length_mean",  # letters a word
    "word_length_sd",
    "long_share",  # words of more than 7 letters / n
    "zipf_mean",  # mean Zipf frequency (log10 per billion words) of the words
    "rare_share",  # words with 0 < Zipf < 3.5 / n
    "unusual_types",  # different words with 0 < Zipf < 4.5 / n ** 0.5
    "unknown_share",  # words that no list knows (Zipf 0: mostly misspelt) / n
    "connective_share",  # connectives / n
    "connective_types",  # different connectives
    "comma_share",  # , / n
    "semicolon_share",  # ; and : / n
    "exclamation_share",  # ! / n
    "question_share",  # ? / n
    "quote_share",  # quotation marks / n
    "apostrophe_share",  # words with an apostrophe / n
    "log_paragraphs",  # ln(paragraphs)
    "coleman_liau",  # 0.0588 L - 0.296 S - 15.8 (letters and sentences per 100 words; Coleman & Liau 1975), cut to [-5, 25]
    "spacing_errors",  # a mark after a space, or without one behind it / n
    "small_starts",  # sentences that begin with a small letter / sentences
    "lone_i",  # the word i in small / n
    "first_person_share",  # i me my mine we us our / n
    "repeated_word_share",  # a word twice in a row / n
    *style.FEATURES,
    "said_again",  # words in runs of eight and more that stood in the text before / all words
)


def surface(texts: Sequence[str]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts."""
    return surface_of([Text(text) for text in texts])


def surface_of(texts: Sequence[Text]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts whose words have been found already."""
    return np.array([_row(text) for text in texts], np.float64).reshape(len(texts), len(FEATURES))


def _row(whole: Text) -> list[float]:
    text, again = once(whole)
    known, n, sentences = text.known, max(1, len(text.words)), text.sentences
    of_types, times = _types(known)
    return [
        *_sizes(len(text.words), sentences),
        *_variety(text.words, len(times), n),
        *_vocabulary(known, of_types, n),
        *_connectives(known, of_types, n),
        *_marks(text.text, known, n),
        *_layout(text.text, known, len(sentences), n),
        *_errors(text, len(sentences), n),
        *style.row(text, of_types, times),
        again,
    ]


def _types(known: Known) -> tuple[Known, NDArray[np.intp]]:
    """What is known of the different words, and how often each comes."""
    order = np.argsort(known.rows)
    ordered = known.rows[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)])
    return known[order[first]], np.diff(first, append=len(ordered))


def _sizes(words: int, sentences: list[int]) -> list[float]:
    mean, sd = _spread(sum(sentences), sum(k * k for k in sentences), len(sentences))
    return [math.log1p(words), math.sqrt(words), math.log1p(len(sentences)), min(mean, 200.0), min(sd, 200.0)]


def _spread(total: int, squares: int, n: int) -> tuple[float, float]:
    """Mean and standard deviation of n whole numbers, from their sum and that of their squares."""
    return total / n, math.sqrt(n * squares - total * total) / n


def _variety(words: list[str], types: int, n: int) -> list[float]:
    spans = [len(set(words[i : i + TTR_SPAN])) / TTR_SPAN for i in range(0, len(words) - TTR_SPAN + 1, TTR_SPAN // 2)]
    moving = sum(spans) / len(spans) if spans else types / n
    return [types / n, types / math.sqrt(n), moving]


def _vocabulary(known: Known, types: Known, n: int) -> list[float]:
    mean, sd = _spread(int(known.length.sum()), int((known.length * known.length).sum()), n)
    rare, unusual = (
        np.count_nonzero((each > 0) & (each < most))
        for each, most in ((known.zipf, RARE_ZIPF), (types.zipf, UNUSUAL_ZIPF))
    )
    return [
        min(mean, 40.0),
        min(sd, 40.0),
        np.count_nonzero(known.length > LONG_WORD) / n,
        float(known.zipf.sum()) / n,
        rare / n,
        unusual / math.sqrt(n),
        np.count_nonzero(known.zipf == 0) / n,
    ]


def _connectives(known: Known, types: Known, n: int) -> list[float]:
    return [np.count_nonzero(known.kinds[:, CONNECTIVE]) / n, float(np.count_nonzero(types.kinds[:, CONNECTIVE]))]


def _marks(text: str, known: Known, n: int) -> list[float]:
    quotes = sum(text.count(mark) for mark in '"“”')
    counts = (text.count(","), text.count(";") + text.count(":"), text.count("!"), text.count("?"), quotes)
    return [*(min(count / n, 1.0) for count in counts), np.count_nonzero(known.apostrophes) / n]


def _layout(text: str, known: Known, sentences: int, n: int) -> list[float]:
    paragraphs = sum(1 for line in text.splitlines() if line.strip()) or 1
    letters = int(known.length.sum()) - int(known.apostrophes.sum())
    coleman_liau = 0.0588 * 100 * letters / n - 0.296 * 100 * sentences / n - 15.8
    return [math.log(paragraphs), min(25.0, max(-5.0, coleman_liau))]


def _errors(text: Text, sentences: int, n: int) -> list[float]:
    rows, spacing = text.known.rows, marks_after_space(text.kinds) + marks_before_letter(text.kinds)
    return [
        min(spacing / n, 1.0),
        min(len(LOWER_AFTER_STOP.findall(text.text)) / sentences, 1.0),
        lone_small_i(text.kinds) / n,
        np.count_nonzero(text.known.kinds[:, FIRST]) / n,
        np.count_nonzero(rows[1:] == rows[:-1]) / n,
    ]
