"""Texts to grade: sentences of the sample essays, in an order drawn by chance."""

from __future__ import annotations

import random
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "samples"
WORDS = 350


def sentences() -> list[str]:
    """The sentences of the sample essays."""
    files = sorted(SAMPLES.glob("*.txt"))
    return [s.strip() + "." for file in files for s in file.read_text().split(".") if s.strip()]


def texts_of(count: int, seed: int = 0, words: int = WORDS) -> list[str]:
    """Texts of so many words. Another seed gives others: nothing of one round can be taken for another's."""
    known, draw = sentences(), random.Random(seed)
    return [text_of(known, draw, words) for _ in range(count)]


def text_of(known: list[str], draw: random.Random, words: int) -> str:
    """One text of so many words. No sentence comes again before all have come: what is said twice is read once."""
    made, left = list[str](), list[str]()
    while len(made) < words:
        left = left or draw.sample(known, len(known))
        made += left.pop().split()
    return " ".join(made[:words])


def mixed_texts(count: int, seed: int = 0, middle: int = WORDS, most: int = 400) -> list[str]:
    """Texts as a class hands them in: lengths lognormal about `middle` words, 60 to `most`."""
    known, draw = sentences(), random.Random(seed)
    lengths = [int(min(most, max(60, draw.lognormvariate(0, 0.45) * middle))) for _ in range(count)]
    return [text_of(known, draw, words) for words in lengths]


def marked(texts: list[str], mark: str) -> list[str]:
    """The same texts with a first word of their own, so that they are new to a stack that has seen the others."""
    return [f"{mark} {text}" for text in texts]
