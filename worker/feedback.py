"""What a writer could do next, by criterion and level. A rubric's own level descriptions come before ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from worker.comparing import compared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# From the lowest level of the default rubric to the highest.
NEXT = {
    "Structure": (
        "Begin with one sentence that says what you will argue or tell, and give each main point its own paragraph.",
        "The order can be followed, with effort: open each paragraph with its point, and link it to the one before.",
        "The text is well ordered; make the ending answer the opening instead of repeating it.",
        "The order carries the reader from opening to ending.",
    ),
    "Clarity": (
        "Many sentences are hard to follow: put one idea into each, and read them aloud.",
        "Most sentences can be followed; vary how they begin, and read aloud those that say two things at once.",
        "Sentences read well; look for those that could say the same in fewer words.",
        "Sentences are clear and varied.",
    ),
    "Relevance": (
        "Go back to the assignment prompt: answer what it asks, with reasons and examples that belong to it.",
        "The text touches the prompt; develop fewer points, each with a concrete example.",
        "The prompt is answered; deepen the strongest point with detail or evidence.",
        "The prompt is answered fully, with fitting detail.",
    ),
    "Academic_Writing": (
        "Check spelling, capital letters and punctuation first; then replace everyday words with exact ones.",
        "Proofread for grammar and punctuation, and choose more precise words.",
        "The language is sound; a wider vocabulary and a more formal tone would lift it.",
        "Vocabulary, grammar and conventions are those of careful writing.",
    ),
}


def feedback(criterion: dict[str, Any], levels: Sequence[str | None], counted: Array | None = None) -> list[list[str]]:
    """For each text a sentence for the level that it reached, then what sets its surface features (n, F) apart from good
    ones. Empty for a criterion that has no words for either.
    """
    words = {level: _of_level(criterion, level) for level in set(levels)}
    more = compared(criterion, counted) if counted is not None else [[] for _ in levels]
    return [words[level] + lines for level, lines in zip(levels, more, strict=True)]


def _of_level(criterion: dict[str, Any], level: str | None) -> list[str]:
    levels = sorted(criterion.get("levels") or [], key=lambda each: float(each["from"]))
    place = next((n for n, each in enumerate(levels) if each["name"] == level), None)
    if place is None:
        return []
    own = levels[place].get("description")
    if own:
        return [str(own)]
    words = NEXT.get(criterion.get("measures") or criterion["name"])
    if words is None:
        return []
    # A rubric with other than four levels gets the sentence at the same height.
    return [words[round(place * (len(words) - 1) / max(1, len(levels) - 1))]]
