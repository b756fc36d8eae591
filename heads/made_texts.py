"""Texts made for measuring advisories: at least forty of which each should speak, and forty on which it should be silent.

All are made, with a seed, of sentences that were written for this project (stock.json).
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from heads.nonsense import keywords, nonsense

STOCK: dict[str, Any] = json.loads((Path(__file__).parent / "stock.json").read_text())
TOPICS: list[dict[str, Any]] = STOCK["topics"]
SCHOOL = (0, 3, 5)  # topics of one world: a text on one has to do with the prompt of another
EACH = 48  # a multiple of the topics, languages and kinds
MASH = ("asdfghjkl", "qwertyuiop", "zxcvbnm", "asdfjkl", "qweasd")


@dataclass(frozen=True)
class Made:
    """A text with its assignment prompt."""

    text: str
    prompt: str


def essay(draw: Random, topic: int, sentences: int = 10) -> Made:
    """A clean text on a topic: its sentences in their order, some left out, some with a link."""
    about = TOPICS[topic % len(TOPICS)]
    kept = sorted(draw.sample(range(len(about["sentences"])), sentences))
    parts = [draw.choice([*STOCK["links"], "", "", ""]) + about["sentences"][n] for n in kept]
    text = "\n\n".join(" ".join(parts[n : n + 4]) for n in range(0, len(parts), 4))
    return Made(text, about["prompt"])


def misspelt(draw: Random, text: str, share: float) -> str:
    """A text in which `share` of the words of four or more letters have lost, doubled or swapped a letter."""
    return " ".join(_slip(draw, word) if len(word) > 3 and draw.random() < share else word for word in text.split(" "))


def _slip(draw: Random, word: str) -> str:
    n = draw.randrange(1, len(word) - 1)
    return draw.choice((word[:n] + word[n + 1 :], word[:n] + word[n] * 2 + word[n + 1 :], _swap(word, n)))


def _swap(word: str, n: int) -> str:
    return word[: n - 1] + word[n] + word[n - 1] + word[n + 1 :]


def positives() -> dict[str, list[Made]]:
    """Texts that each advisory should be given to."""
    makers: dict[str, Callable[[Random, int], Made]] = {
        "too_short": lambda draw, n: Made(" ".join(essay(draw, n, 2).text.split()[: 5 + n]), TOPICS[n % 8]["prompt"]),
        "too_long": lambda draw, n: Made(
            "\n\n".join(essay(draw, n + k).text for k in range(18)), TOPICS[n % 8]["prompt"]
        ),
        "not_prose": _symbols,
        "not_english": _foreign,
        "gibberish": _gibberish,
        "repetitive": _repetitive,
        "copied_prompt": _copied,
        "off_topic": _off_topic,
        "prompt_injection": _order,
    }
    made = {code: [maker(Random(f"{code} {n}"), n) for n in range(EACH)] for code, maker in makers.items()}
    # Letters that are no words come first, then words that are no sentences.
    made["gibberish"] += [_salad(Random(f"word_salad {n}"), n) for n in range(EACH)]
    return made


def negatives() -> list[Made]:
    """Texts without fault, and texts that look like a fault: weak spelling, talk about grading, quotations, numbers."""
    out = []
    for n in range(EACH):
        draw = Random(f"clean {n}")
        plain = essay(draw, n)
        out.append(plain)
        out.append(Made(misspelt(draw, plain.text, 0.25).lower(), plain.prompt))
        out.append(_with(draw, plain, STOCK["talk"][n % len(STOCK["talk"])]))
        out.append(Made(f"{plain.prompt} {plain.text}", plain.prompt))
        out.append(_with(draw, plain, f"In {1990 + n} it cost {n + 3}.50 dollars, that is {2 * n + 4} % of {n * 17}."))
        out.append(_with(draw, plain, f'My grandmother used to say: "{draw.choice(STOCK["foreign"]["es"])}"'))
        again = plain.text.split(". ")[0]
        out.append(Made(f"{plain.text}\n\n{again}.", plain.prompt))
    return out


def _with(draw: Random, made: Made, sentence: str) -> Made:
    paragraphs = made.text.split("\n\n")
    n = draw.randrange(len(paragraphs))
    return Made("\n\n".join([*paragraphs[:n], f"{paragraphs[n]} {sentence}", *paragraphs[n + 1 :]]), made.prompt)


def _symbols(draw: Random, n: int) -> Made:
    return Made("\n".join(draw.choices(STOCK["symbols"], k=8 + n % 5)), TOPICS[n % 8]["prompt"])


def _foreign(draw: Random, n: int) -> Made:
    sentences = STOCK["foreign"][sorted(STOCK["foreign"])[n % 16]]
    return Made(" ".join(draw.sample(sentences, 2 + n % 3)), TOPICS[0]["prompt"])


def _gibberish(draw: Random, n: int) -> Made:
    made = essay(draw, n)
    kinds = (
        lambda word: "".join(draw.choices(draw.choice(MASH), k=max(3, len(word)))),
        lambda word: "".join(draw.choices(string.ascii_lowercase, k=max(2, len(word)))),
        lambda word: "".join(draw.sample(word, len(word))),
    )
    return Made(" ".join(map(kinds[n % 3], made.text.split())), made.prompt)


def _salad(draw: Random, n: int) -> Made:
    made = essay(draw, n)
    if n % 2:
        return Made(nonsense(draw, made.prompt, 150 + 5 * n), made.prompt)
    strings = [" ".join(draw.sample(keywords(made.prompt), len(keywords(made.prompt)))) for _ in range(4 + n % 5)]
    return Made(f"{made.text} {'. '.join(strings)}.", made.prompt)


def _repetitive(draw: Random, n: int) -> Made:
    made = essay(draw, n)
    sentences = made.text.replace("\n\n", " ").split(". ")
    kinds = (
        [sentences[0]] * (8 + n % 5),
        sentences[:3] * (3 + n % 3),
        [*sentences, *sentences[: 3 + n % 4]],
        [each for each in sentences for _ in range(2)],
    )
    return Made(". ".join(kinds[n % 4]), made.prompt)


def _copied(draw: Random, n: int) -> Made:
    prompt = TOPICS[n % 8]["prompt"]
    own = essay(draw, n, 2 + n % 2).text
    return Made((f"{prompt} {own}", f"{own} {prompt} {prompt}", f"{prompt}\n\n{own}\n\n{prompt}")[n % 3], prompt)


def _off_topic(draw: Random, n: int) -> Made:
    other = draw.choice([k for k in range(len(TOPICS)) if k != n % 8 and not (k in SCHOOL and n % 8 in SCHOOL)])
    return Made(essay(draw, n).text, TOPICS[other]["prompt"])


def _order(draw: Random, n: int) -> Made:
    return _with(draw, essay(draw, n), STOCK["orders"][n % len(STOCK["orders"])])
