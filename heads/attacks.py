"""Ways to cheat a machine that grades, and ways to spoil a text: each makes another text of an essay, with a seed."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from heads.made_texts import STOCK, TOPICS, misspelt
from heads.nonsense import keywords, nonsense
from worker.features.words import words_of

SENTENCES = re.compile(r"(?<=[.!?])\s+")
# (seeded draw, essay, its prompt, an essay of another assignment) -> text
Change = Callable[[Random, str, str, str], str]


def sentences_of(text: str) -> list[str]:
    """The sentences of a text; of one without full stops, runs of fifteen words."""
    found = [each for each in SENTENCES.split(text.strip()) if each]
    if len(found) > 2:
        return found
    words = text.split()
    return [" ".join(words[n : n + 15]) for n in range(0, len(words), 15)]


def _length(text: str) -> int:
    return max(1, len(words_of(text)))


def padding(draw: Random, text: str, _prompt: str, _other: str) -> str:
    """Half as long again, by sentences of its own."""
    extra: list[str] = []
    while _length(" ".join(extra)) < 0.5 * _length(text):
        extra.append(draw.choice(sentences_of(text)))
    return f"{text} {' '.join(extra)}"


def light_padding(draw: Random, text: str, _prompt: str, _other: str) -> str:
    """One or two of its sentences again: what may stay below the notice."""
    own = sentences_of(text)
    return f"{text} {' '.join(draw.sample(own, min(2, len(own))))}"


def grand_nonsense(draw: Random, text: str, prompt: str, _other: str) -> str:
    """Nonsense of 400 words instead of the essay."""
    return nonsense(draw, prompt, max(400, _length(text)))


def nonsense_added(draw: Random, text: str, prompt: str, _other: str) -> str:
    """A paragraph of nonsense behind the essay."""
    return f"{text}\n\n{nonsense(draw, prompt, max(40, _length(text) // 3))}"


def prompt_copied(_draw: Random, text: str, prompt: str, _other: str) -> str:
    """The prompt before and behind the essay, as often as makes up a third of it."""
    times = max(1, round(_length(text) / (6 * _length(prompt))))
    return f"{f'{prompt} ' * times}{text}{f' {prompt}' * times}"


def unrelated(draw: Random, text: str, _prompt: str, other: str) -> str:
    """A quarter of the text is replaced by sentences of another assignment's essay."""
    own, foreign = sentences_of(text), sentences_of(other)
    quarter = max(1, len(own) // 4)
    at = draw.randrange(len(own) - quarter + 1)
    return " ".join([*own[:at], *foreign[:quarter], *own[at + quarter :]])


def stuffing(draw: Random, text: str, prompt: str, _other: str) -> str:
    """Strings of the prompt's keywords between the sentences, a fifth of the text."""
    words, own = keywords(prompt) or ["essay"], sentences_of(text)
    added = 0
    while added < 0.2 * _length(text):
        string = draw.sample(words, min(len(words), 8))
        own.insert(draw.randrange(len(own) + 1), " ".join(string).capitalize() + ".")
        added += len(string)
    return " ".join(own)


def orders(draw: Random, text: str, _prompt: str, _other: str) -> str:
    """An instruction to the grader between the sentences."""
    own = sentences_of(text)
    own.insert(draw.randrange(len(own) + 1), draw.choice(STOCK["orders"]))
    return " ".join(own)


def shuffled(draw: Random, text: str, _prompt: str, _other: str) -> str:
    """Its sentences in another order."""
    own = sentences_of(text)
    draw.shuffle(own)
    return " ".join(own)


def half(_draw: Random, text: str, _prompt: str, _other: str) -> str:
    """The first half alone."""
    own = sentences_of(text)
    return " ".join(own[: max(1, len(own) // 2)])


def careless(draw: Random, text: str, _prompt: str, _other: str) -> str:
    """A third of its longer words misspelt."""
    return misspelt(draw, text, 1 / 3)


def someone_elses(_draw: Random, _text: str, _prompt: str, other: str) -> str:
    """Another assignment's essay instead."""
    return other


def stranger(draw: Random, _text: str, _prompt: str, _other: str) -> str:
    """Sentences of this project's stock, on something else."""
    return " ".join(draw.choice(TOPICS)["sentences"])


ATTACKS: dict[str, Change] = {
    "padding": padding, "light_padding": light_padding, "grand_nonsense": grand_nonsense,
    "nonsense_added": nonsense_added, "stuffing": stuffing, "prompt_copied": prompt_copied, "unrelated_quarter": unrelated,
    "orders": orders, "shuffled": shuffled,
}  # fmt: skip
# What must never pay without being noticed.
GUARDED = ("padding", "light_padding", "grand_nonsense", "nonsense_added", "stuffing")
# What spoils a text, and the criterion that must fall; a bag of features does not see the order of sentences.
SPOILS: dict[str, tuple[Change, str]] = {
    "half": (half, "Structure"),
    "misspelt": (careless, "Academic_Writing"),
    "someone_elses": (someone_elses, "Relevance"),
    "shuffled": (shuffled, "Structure"),
}
