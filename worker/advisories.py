"""Remarks beside the scores. They inform a person and never change a score. Thresholds: docs/grading.md, Advisories."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from worker.features.characters import ALPHA, SPACE, count
from worker.features.surface import FEATURES
from worker.features.text import Text, prompt_text
from worker.language import ENGLISH, NONE, language_of
from worker.orders import gives_orders
from worker.patterns import borrowed, listed, rarest, repeated_runs, repeated_sentences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worker.features.lexicon import Known

SHORT_WORDS = 50  # below this the head has hardly seen a text
LONG_WORDS = 2_000  # beyond what the corpora hold
LETTER_SHARE = 0.6  # of the characters that are no spaces; prose has more than 0.9
UNKNOWN_SHARE = 0.2  # of the words; 1 of 1,000 essays of the corpora is above 0.1
# Probability that the text answers its prompt. A story shares few words with the prompt that asked for it, and a title
# is no prompt to compare with: there only a text that is surely off is spoken of.
OFF_TOPIC, OFF_TOPIC_STORY, OFF_TOPIC_TITLE = 0.3, 0.1, 0.01
STORY = re.compile(
    r"\b(?:write|tell|narrate)\b[^.?!]{0,40}\bstor(?:y|ies)\b|\btime when\b|\bnarrative\b", re.IGNORECASE
)
TITLE_WORDS = 6
BORROWED = 0.22  # of the words stand in runs of the prompt: more than one quotation of it
# Shares that about 1 of 100 essays of the corpora reach, or fewer.
SAME_SENTENCES, SAME_FIVES, SAME_THREES = 0.15, 0.15, 0.35
LISTED, RARE = 0.08, 0.22
# An ending that repeats the opening is no padding; it has fewer words than this.
SAME_WORDS = 25
PATTERN_WORDS = 25
JUDGED_WORDS = 10
# Patterns are looked for in so many words: it bounds the time that a huge text takes.
READ_WORDS = 20_000

SHORT_ONCE = "Without what it says again, the text has only {words} words; scores of so short a text say little."
MESSAGES = {
    "too_short": "The text has only {words} words; scores of so short a text say little.",
    "too_long": "The text has {said} words, far more than the essays that the scores were learned from.",
    "not_prose": "Much of this is not prose (symbols, numbers or code).",
    "not_english": "This does not look like English, the only language that the scores were learned from.",
    "gibberish": "Many of the words are in no dictionary, or are strung together where sentences should be.",
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
    noticed: frozenset[str] | None = None,
) -> list[dict[str, str]]:
    """The remarks on one text: `[{"code", "message"}]`. `on_topic` is NaN without a prompt.

    `words` are those that it does not say again. `noticed` is what `notice` has found in the text already.
    """
    codes = notice(Text(text), prompt, surface_row) if noticed is None else noticed
    # All its words, repeats and all: counted only where a remark tells of them, because it takes time.
    said = len(Text(text).words) if words < SHORT_WORDS or "too_long" in codes else words
    found = {
        "too_short": words < SHORT_WORDS,
        "off_topic": words >= JUDGED_WORDS and _off_topic(prompt or "", on_topic),
        "unusual_for_calibration": unusual,
    }
    messages = MESSAGES if said == words else {**MESSAGES, "too_short": SHORT_ONCE}
    return [
        {"code": code, "message": message.format(words=words, said=said)}
        for code, message in messages.items()
        if code in codes or found.get(code)
    ]


def notice(text: Text, prompt: str | None, surface_row: NDArray[np.float64]) -> frozenset[str]:
    """The codes of what is seen in the text itself, without any model; time grows with length."""
    spoken, known = text.words[:READ_WORDS], text.known[:READ_WORDS]
    asked, language = prompt_text(prompt or ""), language_of(text)
    found = {
        "too_long": len(text.words) > LONG_WORDS,
        "not_prose": _symbols(text),
        "not_english": language not in (None, ENGLISH, NONE),
        # The API has one code for both: letters that are no words, and words that are no sentences. The words of another
        # language are in no English list either.
        "gibberish": language in (None, ENGLISH, NONE)
        and (_gibberish(spoken, surface_row, language) or _salad(spoken, known, asked)),
        "repetitive": _repetitive(text, known),
        "copied_prompt": borrowed(known, asked.known) > BORROWED,
        "prompt_injection": gives_orders(text.text),
    }
    return frozenset(code for code, so in found.items() if so)


def _off_topic(prompt: str, on_topic: float) -> bool:
    if math.isnan(on_topic):
        return False
    if len(prompt_text(prompt).words) < TITLE_WORDS and "?" not in prompt:  # a question asks, however short
        return on_topic < OFF_TOPIC_TITLE
    return on_topic < (OFF_TOPIC_STORY if STORY.search(prompt) else OFF_TOPIC)


def _symbols(text: Text) -> bool:
    return count(text.kinds, ALPHA) < LETTER_SHARE * (len(text.text) - count(text.kinds, SPACE))


def _gibberish(words: list[str], row: NDArray[np.float64], language: str | None) -> bool:
    if len(words) < JUDGED_WORDS:
        return False
    return language == NONE or float(row[FEATURES.index("unknown_share")]) > UNKNOWN_SHARE


def _salad(words: list[str], known: Known, prompt: Text) -> bool:
    return len(words) >= PATTERN_WORDS and (listed(words, known, prompt.words) > LISTED or rarest(known) > RARE)


def _repetitive(text: Text, known: Known) -> bool:
    if len(known.code) < PATTERN_WORDS:
        return False
    again = repeated_sentences(text)
    sentences = again >= SAME_WORDS or again > SAME_SENTENCES * len(known.code)
    return sentences or repeated_runs(known, 5) > SAME_FIVES or repeated_runs(known, 3) > SAME_THREES
