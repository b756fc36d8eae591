"""What a text says twice, word for word: it counts once, so that padding does not pay."""

from __future__ import annotations

import re

from worker.features.words import WORD, words_of

# Fewer words in a row come again by chance, in names and turns of speech.
RUN = 8
SPACE = re.compile(r"\s+|$")

Span = tuple[int, int]


def once(text: str) -> tuple[str, list[str], float]:
    """A text without the runs of RUN and more words that stood in it before, its words, and the share of words that
    these runs are."""
    spoken = words_of(text)
    if not _again(spoken):
        return text, spoken, 0.0
    words = list(WORD.finditer(text))
    again = _again([match.group().lower() for match in words])
    kept, end = [], 0
    for first, last in again:
        kept.append(text[end : words[first].start()])
        # The mark behind the last word goes with it.
        end = SPACE.search(text, words[last].end()).end()  # type: ignore[union-attr]  # it matches the text's end
    left = "".join([*kept, text[end:]])
    return left, words_of(left), sum(last - first + 1 for first, last in again) / max(1, len(words))


def _again(words: list[str]) -> list[Span]:
    """First and last places of stretches that consist of runs which came before."""
    runs = list(zip(*(words[k:] for k in range(RUN)), strict=False))
    if len(set(runs)) == len(runs):
        return []
    seen: set[tuple[str, ...]] = set()
    stretches: list[Span] = []
    for n, run in enumerate(runs):
        if run not in seen:
            seen.add(run)
        elif stretches and n <= stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], n + RUN - 1)
        else:
            stretches.append((n, n + RUN - 1))
    return stretches
