"""Surface features: what can be counted in a text and moves human raters. Each is a named number, finite for any text.

n is the number of words, counted as runs of letters and apostrophes; sentences end in . ! or ?; paragraphs at line breaks.
What a text says again word for word (repeats.py) is left out before anything is counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features import style
from worker.features.characters import lone_small_i, marks_after_space, marks_before_letter
from worker.features.joined import Joined
from worker.features.kinds import CONNECTIVE, FIRST
from worker.features.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LOWER_AFTER_STOP = re.compile(r"[.!?]\s+[a-z]")
LONG_WORD = 7
TTR_SPAN = 50
RARE_ZIPF, UNUSUAL_ZIPF = 3.5, 4.5
# Characters that are counted in one pass: about 100 essays, 20 MB of arrays. A longer text has a pass of its own.
PASS_CHARS = 200_000

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
)


def surface(texts: Sequence[str]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts."""
    parts = [_counted([Text(text) for text in texts[part]]) for part in passes([len(text) for text in texts])]
    return np.concatenate([np.zeros((0, len(FEATURES))), *parts])


def surface_of(texts: Sequence[Text]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts whose words have been found already."""
    parts = [_counted(texts[part]) for part in passes([len(text.text) for text in texts])]
    return np.concatenate([np.zeros((0, len(FEATURES))), *parts])


def passes(lengths: Sequence[int]) -> Iterator[slice]:
    """Texts of so many characters, parted into those that are counted together."""
    first = held = 0
    for n, length in enumerate(lengths):
        if n > first and held + length > PASS_CHARS:
            yield slice(first, n)
            first, held = n, 0
        held += length
    if first < len(lengths):
        yield slice(first, len(lengths))


def _counted(texts: Sequence[Text]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts, one at least, in one pass."""
    joined = Joined([text.once for text in texts])
    connectives = joined.types[0][joined.known.kinds[joined.types[0], CONNECTIVE] != 0]
    columns = [
        *_by_text(joined, _sizes),
        *_variety(joined),
        *_vocabulary(joined),
        joined.by_kind[:, CONNECTIVE] / joined.n,
        joined.counts(connectives),
        *_by_text(joined, _marks),
        joined.sums(joined.known.apostrophes > 0) / joined.n,
        *_layout(joined),
        *_errors(joined),
        *style.columns(joined),
    ]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _by_text(joined: Joined, counted: Callable[[Text], list[float]]) -> NDArray[np.float64]:
    """(m, k) of what gives m numbers of each text."""
    return np.array([counted(text) for text in joined.texts]).T


def _sizes(text: Text) -> list[float]:
    words, sentences = len(text.words), text.sentences
    mean, sd = spread(sum(sentences), sum(k * k for k in sentences), len(sentences))
    return [math.log1p(words), math.sqrt(words), math.log1p(len(sentences)), min(mean, 200.0), min(sd, 200.0)]


def spread(total: int, squares: int, n: int) -> tuple[float, float]:
    """Mean and standard deviation of n whole numbers, from their sum and that of their squares."""
    return total / n, math.sqrt(n * squares - total * total) / n


def _variety(joined: Joined) -> list[Array]:
    types = joined.counts(joined.types[0])
    share = types / joined.n
    return [share, types / np.sqrt(joined.n), np.array(list(map(_moving, joined.texts, share.tolist())))]


def _moving(text: Text, share: float) -> float:
    words = text.words
    spans = [len(set(words[i : i + TTR_SPAN])) / TTR_SPAN for i in range(0, len(words) - TTR_SPAN + 1, TTR_SPAN // 2)]
    return sum(spans) / len(spans) if spans else share


def _vocabulary(joined: Joined) -> list[Array]:
    known, n, types = joined.known, joined.n, joined.types[0]
    total, squares = joined.sums(known.length), joined.sums(known.length * known.length)
    unusual = types[(known.zipf[types] > 0) & (known.zipf[types] < UNUSUAL_ZIPF)]
    return [
        np.minimum(total / n, 40.0),
        np.minimum(np.sqrt(n * squares - total * total) / n, 40.0),
        joined.sums(known.length > LONG_WORD) / n,
        joined.sums(known.zipf) / n,
        joined.sums((known.zipf > 0) & (known.zipf < RARE_ZIPF)) / n,
        joined.counts(unusual) / np.sqrt(n),
        joined.sums(known.zipf == 0) / n,
    ]


def _marks(text: Text) -> list[float]:
    whole, n = text.text, max(1, len(text.words))
    quotes = sum(whole.count(mark) for mark in '"“”')
    counts = (whole.count(","), whole.count(";") + whole.count(":"), whole.count("!"), whole.count("?"), quotes)
    return [min(count / n, 1.0) for count in counts]


def _layout(joined: Joined) -> list[Array]:
    paragraphs = [sum(1 for line in text.text.splitlines() if line.strip()) or 1 for text in joined.texts]
    letters = joined.sums(joined.known.length) - joined.sums(joined.known.apostrophes)
    coleman_liau = 0.0588 * 100 * letters / joined.n - 0.296 * 100 * _sentences(joined) / joined.n - 15.8
    return [np.log(paragraphs), np.clip(coleman_liau, -5.0, 25.0)]


def _sentences(joined: Joined) -> NDArray[np.intp]:
    return np.array([len(text.sentences) for text in joined.texts])


def _errors(joined: Joined) -> list[Array]:
    n, rows, of, kinds = joined.n, joined.known.rows, joined.of, joined.kinds
    spacing = joined.marks(marks_after_space(kinds)) + joined.marks(marks_before_letter(kinds))
    small = np.array([len(LOWER_AFTER_STOP.findall(text.text)) for text in joined.texts])
    return [
        np.minimum(spacing / n, 1.0),
        np.minimum(small / _sentences(joined), 1.0),
        joined.marks(lone_small_i(kinds)) / n,
        joined.by_kind[:, FIRST] / n,
        joined.counts(1 + np.flatnonzero((rows[1:] == rows[:-1]) & (of[1:] == of[:-1]))) / n,
    ]
