"""What padding and word lists look like: repeats, borrowed runs and strings of words that no sentence holds together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.features.kinds import FUNCTION
from worker.features.runs import again, runs
from worker.features.surface import RARE_ZIPF

if TYPE_CHECKING:
    from worker.features.lexicon import Known
    from worker.features.text import Text

# A shorter sentence ("I agree.") may well come twice.
SENTENCE_WORDS = 5
PROMPT_RUN = 6  # words in a row that nobody shares with a prompt by chance
LIST_RUN = 5  # content words in a row; even a list of examples has an `and`
RARE_RUN = 40
RARE_LETTERS = 8  # shorter rare words are mostly misspelt common ones
RAREST_ZIPF = 2.7  # those that hardly anybody writes count twice


def repeated_runs(known: Known, size: int) -> float:
    """Share of the runs of `size` words that came before in the text."""
    return again(known.code, size) / max(1, len(known.code) - size + 1)


def repeated_sentences(text: Text) -> int:
    """Words of a text that stand in sentences which came before, word for word."""
    if not again(text.known.code, SENTENCE_WORDS):
        return 0  # a sentence that comes again has runs that come again
    seen: set[tuple[str, ...]] = set()
    repeated = first = 0
    for length in text.lines:
        sentence = tuple(text.words[first : first + length])
        first += length
        if length >= SENTENCE_WORDS:
            repeated += length if sentence in seen else 0
            seen.add(sentence)
    return repeated


def borrowed(known: Known, prompt: Known) -> float:
    """Share of the words that stand in runs of the assignment prompt."""
    if not len(prompt.code):
        return 0.0
    starts = np.flatnonzero(np.isin(runs(known.code, PROMPT_RUN), runs(prompt.code, PROMPT_RUN)))
    places = np.unique(starts[:, None] + np.arange(PROMPT_RUN))
    return len(places) / max(1, len(known.code))


def listed(words: Sequence[str], known: Known, prompt: Sequence[str]) -> float:
    """Share of the words that stand in strings of keywords: LIST_RUN or more content words in a row, of which a third
    stand in the prompt or elsewhere in the text (a quotation in another language has no English function word either,
    but is said once)."""
    ends = np.flatnonzero(np.concatenate([[True], known.kinds[:, FUNCTION] != 0, [True]]))
    long = np.flatnonzero(np.diff(ends) > LIST_RUN)
    if not len(long):
        return 0.0
    times, asked = Counter(words), set(prompt)
    found = [words[first : last - 1] for first, last in zip(ends[long].tolist(), ends[long + 1].tolist(), strict=True)]
    strings = [run for run in found if 3 * sum(times[word] > 1 or word in asked for word in run) >= len(run)]
    return sum(map(len, strings)) / len(words)


def rarest(known: Known) -> float:
    """The largest share of long rare words among RARE_RUN words in a row, the rarest of which count twice: a paragraph of
    them in a plain text shows."""
    long = (known.length >= RARE_LETTERS) & (known.zipf > 0)
    sums = np.concatenate([[0], np.cumsum(long * (1 * (known.zipf < RARE_ZIPF) + (known.zipf < RAREST_ZIPF)))])
    ends = sums[RARE_RUN:] if len(sums) > RARE_RUN else sums[-1:]  # a shorter text is one run
    return float((ends - sums[: len(ends)]).max()) / RARE_RUN
