"""Words: how a text is cut into them, and how common each is."""

from __future__ import annotations

import re

from wordfreq import zipf_frequency

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SENTENCE_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s|$)")


def zipf(word: str) -> float:
    """Zipf frequency of an English word, 0 for one that is not known. Long runs of letters are not looked up."""
    return float(zipf_frequency(word, "en")) if len(word) <= 40 else 0.0


def words_of(text: str) -> list[str]:
    """The words of a text in small letters."""
    return WORD.findall(text.lower().replace("’", "'"))
