"""What `GET /rubric-info` says of each level. The levels are those of the default rubric; so are their cut points."""

from __future__ import annotations

from db.rubric import DEFAULT_CRITERIA, DEFAULT_LEVELS

LEVELS = [str(level["name"]) for level in reversed(DEFAULT_LEVELS)]
WORDS = {
    "Structure": {
        "Excellent": "An opening, paragraphs that follow from one another and an ending; each part is where it belongs.",
        "Good": "The order is clear; here and there a step between two paragraphs is missing.",
        "Fair": "Some order can be seen, but parts stand beside one another without a connection.",
        "Poor": "No order can be seen; a reader has to put the text together.",
    },
    "Clarity": {
        "Excellent": "Every sentence is understood at the first reading; sentences vary in length and form.",
        "Good": "Sentences are easy to follow, with few that must be read twice.",
        "Fair": "The meaning is mostly clear, but several sentences are hard to follow.",
        "Poor": "Many sentences are hard to understand.",
    },
    "Relevance": {
        "Excellent": "All of the text answers the task, with content that belongs to it.",
        "Good": "The text answers the task, with small digressions.",
        "Fair": "Only parts of the text answer the task.",
        "Poor": "The text hardly answers the task, or is about something else.",
    },
    "Academic_Writing": {
        "Excellent": "Exact words, a fitting tone, and hardly a slip in grammar, spelling or punctuation.",
        "Good": "Fitting words and tone, with a few slips.",
        "Fair": "Everyday and careful language are mixed, with slips that are noticed.",
        "Poor": "Few words, or slips in most sentences.",
    },
}


def rubric_info() -> dict[str, object]:
    """The answer of `GET /rubric-info`."""
    return {
        "status": "success",
        "rubric_categories": dict.fromkeys(DEFAULT_CRITERIA, LEVELS),
        "rubric_criteria": {name: {level: WORDS[name][level] for level in LEVELS} for name in DEFAULT_CRITERIA},
    }
