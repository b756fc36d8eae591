"""Why a score is what it is: what it would be without each of the text's sentences (occlusion, Zeiler & Fergus 2014)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.features.words import SENTENCE_END

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Parts of one text that are left out in turn; a text of more sentences is parted into runs of several.
MOST_PARTS = 40
# Reasons a criterion, for and against.
SHOWN = 3
# In points of a scale of 100; less is noise.
LEAST = 0.1
LINE_END = re.compile(r"\n+")

# (n,) texts -> (n, C) scores from 0 to 1
Scores = Callable[[Sequence[str]], "NDArray[np.float64]"]
Span = tuple[int, int]


def parts_of(text: str) -> list[Span]:
    """Where the sentences of a text begin and end, at most MOST_PARTS; headings and list items count as sentences."""
    ends = sorted({m.end() for m in SENTENCE_END.finditer(text)} | {m.start() for m in LINE_END.finditer(text)})
    spans = [_trimmed(text, a, b) for a, b in pairwise([0, *ends, len(text)])]
    spans = [(a, b) for a, b in spans if a < b]
    run = -(-len(spans) // MOST_PARTS) or 1
    return [(spans[n][0], spans[min(n + run, len(spans)) - 1][1]) for n in range(0, len(spans), run)]


def reasons_of(text: str, criteria: Sequence[dict[str, Any]], scores: Scores) -> list[list[dict[str, Any]]]:
    """For each criterion the sentences that raise or lower its score most, strongest first.

    `scores` gives the scores of texts on these criteria. `effect` is in points of the criterion's scale: what the score
    would lose without the sentence; where it is negative, the score would gain. A text of one sentence has no reasons.
    """
    spans = parts_of(text)
    if len(spans) < 2:
        return [[] for _ in criteria]
    unit = scores([text, *(text[:a] + text[b:] for a, b in spans)])
    effects = unit[0] - unit[1:]
    return [_strongest(text, spans, effects[:, k], criterion) for k, criterion in enumerate(criteria)]


def _strongest(
    text: str, spans: list[Span], effects: NDArray[np.float64], criterion: dict[str, Any]
) -> list[dict[str, Any]]:
    order = np.argsort(effects)
    chosen = [n for n in (*order[::-1][:SHOWN], *order[:SHOWN]) if abs(effects[n]) * 100 >= LEAST]
    scale = float(criterion["max"]) - float(criterion["min"])
    found = {
        int(n): {
            "text": text[spans[n][0] : spans[n][1]],
            "start": spans[n][0],
            "end": spans[n][1],
            "effect": round(float(effects[n]) * scale, 3),
        }
        for n in chosen
    }
    return sorted(found.values(), key=lambda reason: -abs(float(reason["effect"])))


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
