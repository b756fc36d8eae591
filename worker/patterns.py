"""What padding and word lists look like: repeats, borrowed runs and strings of words that no sentence holds together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from operator import sub

from worker.features.surface import RARE_ZIPF
from worker.features.words import words_of, zipf

SENTENCE = re.compile(r"[.!?\n]+")
# A shorter sentence ("I agree.") may well come twice.
SENTENCE_WORDS = 5
PROMPT_RUN = 6  # words in a row that nobody shares with a prompt by chance
LIST_RUN = 5  # content words in a row; even a list of examples has an `and`
RARE_RUN = 40
RARE_LETTERS = 8  # shorter rare words are mostly misspelt common ones
FUNCTION_WORDS = frozenset(
    "a about after again all also although always am an and another any are aren't around as at away back be because been "
    "before being both but by can can't cannot could did didn't do does doesn't doing don't down each either else even ever "
    "every few for from get gets go goes got had has hasn't have haven't having he her here him his how however i i'd i'll "
    "i'm i've if in instead into is isn't it it's its itself just like made make many may me more most much must my myself "
    "never no none nor not now of off often on once one only or other our out over own rather really same say says she "
    "should so some still such take than that that's the their them then there these they they're this those though to too "
    "two under until up us very was wasn't way we were weren't what when where which while who whom whose why will with "
    "without won't would yet you you're your yours".split()
)

Words = Sequence[str]


def repeated_runs(words: Words, size: int) -> float:
    """Share of the runs of `size` words that came before in the text."""
    runs = [tuple(words[n : n + size]) for n in range(len(words) - size + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def repeated_sentences(text: str) -> int:
    """Words of a text that stand in sentences which came before, word for word."""
    seen: set[tuple[str, ...]] = set()
    again = 0
    for part in SENTENCE.split(text):
        sentence = tuple(words_of(part))
        if len(sentence) >= SENTENCE_WORDS:
            again += len(sentence) if sentence in seen else 0
            seen.add(sentence)
    return again


def borrowed(words: Words, prompt: Words) -> float:
    """Share of the words that stand in runs of the assignment prompt."""
    asked = {tuple(prompt[n : n + PROMPT_RUN]) for n in range(len(prompt) - PROMPT_RUN + 1)}
    places: set[int] = set()
    for n in range(len(words) - PROMPT_RUN + 1 if asked else 0):
        if tuple(words[n : n + PROMPT_RUN]) in asked:
            places.update(range(n, n + PROMPT_RUN))
    return len(places) / len(words) if words else 0.0


def listed(words: Words, prompt: Words) -> float:
    """Share of the words that stand in strings of keywords: LIST_RUN or more content words in a row, of which a third
    stand in the prompt or elsewhere in the text (a quotation in another language has no English function word either,
    but is said once)."""
    runs = [run for run in _content_runs(words) if len(run) >= LIST_RUN]
    if not runs:
        return 0.0
    times, asked = Counter(words), set(prompt)
    strings = [run for run in runs if 3 * sum(times[word] > 1 or word in asked for word in run) >= len(run)]
    return sum(map(len, strings)) / len(words) if words else 0.0


def rarest(words: Words) -> float:
    """The largest share of long rare words among RARE_RUN words in a row: a paragraph of them in a plain text shows."""
    known = {word: len(word) >= RARE_LETTERS and 0 < zipf(word) < RARE_ZIPF for word in set(words)}
    rare = list(accumulate(map(known.__getitem__, words), initial=0))
    ends = rare[RARE_RUN:] or rare[-1:]  # a shorter text is one run
    return float(max(map(sub, ends, rare))) / RARE_RUN


def _content_runs(words: Words) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for word in words:
        if word in FUNCTION_WORDS:
            runs.append([])
        else:
            runs[-1].append(word)
    return runs
