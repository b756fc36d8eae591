"""Surface features: what can be counted in a text and moves human raters. Each is a named number, finite for any text.

n is the number of words, counted as runs of letters and apostrophes; sentences end in . ! or ?; paragraphs at line breaks.
What a text says again word for word (repeats.py) is left out before anything is counted.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features import style
from worker.features.repeats import once
from worker.features.words import sentence_lengths, zipf

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPACE_BEFORE_MARK = re.compile(r"\s[,.;:!?](?=\s|$)")
NO_SPACE_AFTER_MARK = re.compile(r"[,;!?][^\W\d_]")
LOWER_AFTER_STOP = re.compile(r"[.!?]\s+[a-z]")
LONE_I = re.compile(r"(?<![\w'’@])i(?![\w'’.])")
CONNECTIVES = frozenset(
    "however therefore because although though first second third firstly secondly finally furthermore moreover also thus hence "
    "while whereas instead consequently nevertheless meanwhile then next besides since so but unless until additionally "
    "similarly likewise overall otherwise".split()
)
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
FIRST_PERSON = frozenset("i me my mine we us our ours".split())


def surface(texts: Sequence[str]) -> NDArray[np.float64]:
    """(n, len(FEATURES)) of n texts."""
    return np.array([_row(text) for text in texts], np.float64).reshape(len(texts), len(FEATURES))


def _row(whole: str) -> list[float]:
    text, words, again = once(whole)
    n, types = max(1, len(words)), set(words)
    sentences = sentence_lengths(text)
    return [
        *_sizes(words, sentences),
        *_variety(words, types, n),
        *_vocabulary(words, types, n),
        *_connectives(words, types, n),
        *_marks(text, words, n),
        *_layout(text, words, len(sentences), n),
        *_errors(text, words, len(sentences), n),
        *style.row(text, words, sentences),
        again,
    ]


def _sizes(words: list[str], sentences: list[int]) -> list[float]:
    mean = sum(sentences) / len(sentences)
    sd = math.sqrt(sum((s - mean) ** 2 for s in sentences) / len(sentences))
    return [math.log1p(len(words)), math.sqrt(len(words)), math.log1p(len(sentences)), min(mean, 200.0), min(sd, 200.0)]


def _variety(words: list[str], types: set[str], n: int) -> list[float]:
    spans = [len(set(words[i : i + TTR_SPAN])) / TTR_SPAN for i in range(0, len(words) - TTR_SPAN + 1, TTR_SPAN // 2)]
    moving = sum(spans) / len(spans) if spans else len(types) / n
    return [len(types) / n, len(types) / math.sqrt(n), moving]


def _vocabulary(words: list[str], types: set[str], n: int) -> list[float]:
    lengths = list(map(len, words)) or [0]
    mean = sum(lengths) / len(lengths)
    sd = math.sqrt(sum((k - mean) ** 2 for k in lengths) / len(lengths))
    common = {word: zipf(word) for word in types}
    known = [common[word] for word in words]
    return [
        min(mean, 40.0),
        min(sd, 40.0),
        len([k for k in lengths if k > LONG_WORD]) / n,
        sum(known) / n,
        len([z for z in known if 0 < z < RARE_ZIPF]) / n,
        len([z for z in common.values() if 0 < z < UNUSUAL_ZIPF]) / math.sqrt(n),
        known.count(0.0) / n,
    ]


def _connectives(words: list[str], types: set[str], n: int) -> list[float]:
    return [len([word for word in words if word in CONNECTIVES]) / n, float(len(types & CONNECTIVES))]


def _marks(text: str, words: list[str], n: int) -> list[float]:
    quotes = sum(text.count(mark) for mark in '"“”')
    counts = (text.count(","), text.count(";") + text.count(":"), text.count("!"), text.count("?"), quotes)
    return [*(min(count / n, 1.0) for count in counts), len([word for word in words if "'" in word]) / n]


def _layout(text: str, words: list[str], sentences: int, n: int) -> list[float]:
    paragraphs = sum(1 for line in text.splitlines() if line.strip()) or 1
    letters = sum(map(len, words)) - sum(word.count("'") for word in words if "'" in word)
    coleman_liau = 0.0588 * 100 * letters / n - 0.296 * 100 * sentences / n - 15.8
    return [math.log(paragraphs), min(25.0, max(-5.0, coleman_liau))]


def _errors(text: str, words: list[str], sentences: int, n: int) -> list[float]:
    spacing = len(SPACE_BEFORE_MARK.findall(text)) + len(NO_SPACE_AFTER_MARK.findall(text))
    twice = sum(a == b for a, b in itertools.pairwise(words))
    return [
        min(spacing / n, 1.0),
        min(len(LOWER_AFTER_STOP.findall(text)) / sentences, 1.0),
        len(LONE_I.findall(text)) / n,
        len([word for word in words if word in FIRST_PERSON]) / n,
        twice / n,
    ]
