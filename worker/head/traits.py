"""What belongs to what: the traits that corpora score, and the default criteria."""

from __future__ import annotations

CRITERIA = ("Structure", "Clarity", "Relevance", "Academic_Writing")
# The traits of the corpora, by the criterion that they belong to (docs/grading.md).
CRITERION_OF = {
    "organization": "Structure", "narrativity": "Structure", "cohesion": "Structure",
    "sentence_fluency": "Clarity", "language": "Clarity", "syntax": "Clarity", "phraseology": "Clarity",
    "content": "Relevance", "prompt_adherence": "Relevance",
    "word_choice": "Academic_Writing", "conventions": "Academic_Writing", "style": "Academic_Writing",
    "voice": "Academic_Writing", "vocabulary": "Academic_Writing", "grammar": "Academic_Writing",
}  # fmt: skip


def measured_by(label: str) -> str | None:
    """The default criterion that a column or an output of this name measures, in any spelling; None if there is none."""
    plain = "_".join(label.lower().replace("-", " ").split())
    by_name = {criterion.lower(): criterion for criterion in CRITERIA}
    return by_name.get(plain) or CRITERION_OF.get(plain)
