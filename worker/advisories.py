"""Remarks beside the scores. They inform a person and never change a score."""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from typing import TYPE_CHECKING

from worker.features.surface import FEATURES, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORT_WORDS = 50  # below this the head has hardly seen a text
LONG_WORDS = 2_000  # beyond what the corpora hold
LETTER_SHARE = 0.6  # of the characters that are no spaces; prose has more than 0.9
UNKNOWN_SHARE = 0.4  # of the words; the weakest spellers stay below 0.25
ENGLISH_SHARE = 0.15  # of the words are among the commonest forty in any English prose
OFF_TOPIC = 0.25  # probability that the text answers its prompt
PROMPT_RUN = 8  # words in a row that nobody shares with a prompt by chance
PROMPT_SHARE = 0.3  # of the text's runs are the prompt's
COMPRESSED = 0.3  # prose of this length shrinks to about half, repeated prose to much less
REPEAT_WORDS = 60
JUDGED_WORDS = 10

COMMONEST = frozenset(
    "the be to of and a in that have i it for not on with he as you do at this but his by from they we say her she or an will "
    "my is are was were".split()
)
# Orders to a machine that grades, not talk about grading.
INJECTION = re.compile(
    r"ignore (?:all |any |the |your |previous |prior |above ){1,4}(?:instructions?|rules?|prompts?)"
    r"|disregard (?:all |any |the |your |previous |prior |above ){1,4}(?:instructions?|rules?|prompts?|rubric)"
    r"|(?:give|assign|award|grant|return|output|print)[^.!?\n]{0,40}\b(?:full|maximum|highest|perfect|top)\s+(?:marks?|scores?|points|grades?)"
    r"|as an? (?:automated|ai|automatic) (?:grader|marker|model|assistant)"
    r"|system prompt|you are (?:now )?an? (?:ai|language model|grader)",
    re.IGNORECASE,
)
MESSAGES = {
    "too_short": "The text has only {words} words; scores of so short a text say little.",
    "too_long": "The text has {words} words, far more than the essays that the scores were learned from.",
    "not_prose": "Much of this is not prose (symbols, numbers or code).",
    "not_english": "This does not look like English, the only language that the scores were learned from.",
    "gibberish": "Many of the words are in no dictionary.",
    "repetitive": "Much of the text repeats itself.",
    "copied_prompt": "Much of the text is copied from the assignment prompt.",
    "off_topic": "The text seems to answer something other than its assignment prompt.",
    "unusual_for_calibration": "The text is unlike all that the rubric's calibration has seen.",
    "prompt_injection": "The text gives orders to the grader. They had no effect; please read it yourself.",
}


def advise(
    text: str,
    words: int,
    prompt: str | None,
    on_topic: float,
    surface_row: NDArray[np.float64],
    unusual: bool = False,
) -> list[dict[str, str]]:
    """The remarks on one text: `[{"code", "message"}]`. `on_topic` is NaN without a prompt; time grows with length."""
    spoken = words_of(text)
    found = {
        "too_short": words < SHORT_WORDS,
        "too_long": words > LONG_WORDS,
        "not_prose": _symbols(text),
        "not_english": _foreign(spoken),
        "gibberish": _gibberish(spoken, surface_row),
        "repetitive": _repetitive(spoken),
        "copied_prompt": _copied(spoken, prompt),
        "off_topic": not math.isnan(on_topic) and on_topic < OFF_TOPIC and words >= JUDGED_WORDS,
        "prompt_injection": INJECTION.search(text) is not None,
        "unusual_for_calibration": unusual,
    }
    return [{"code": code, "message": MESSAGES[code].format(words=words)} for code, so in found.items() if so]


def _symbols(text: str) -> bool:
    kinds = Counter("letter" if c.isalpha() else "other" for c in text if not c.isspace())
    return kinds["letter"] < LETTER_SHARE * kinds.total()


def _foreign(words: list[str]) -> bool:
    if len(words) < JUDGED_WORDS:
        return False
    return sum(word in COMMONEST for word in words) < ENGLISH_SHARE * len(words)


def _gibberish(words: list[str], row: NDArray[np.float64]) -> bool:
    return len(words) >= JUDGED_WORDS and float(row[FEATURES.index("unknown_share")]) > UNKNOWN_SHARE


def _repetitive(words: list[str]) -> bool:
    if len(words) < REPEAT_WORDS:
        return False
    # Within the compressor's memory of 32 KB a long text looks as repetitive as a short one.
    joined = " ".join(words[:4000]).encode("utf-8", "replace")
    return len(zlib.compress(joined, 9)) < COMPRESSED * len(joined)


def _copied(words: list[str], prompt: str | None) -> bool:
    asked = _runs(words_of(prompt or ""))
    own = _runs(words)
    return bool(asked) and bool(own) and len(own & asked) > PROMPT_SHARE * len(own)


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + PROMPT_RUN]) for i in range(len(words) - PROMPT_RUN + 1)}
