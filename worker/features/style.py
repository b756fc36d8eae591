"""More surface features: kinds of words, slips of grammar and spelling, and how varied a text is.

They were kept because they lower the error on English learners' essays (docs/grading.md). n is the number of words.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import re2

from worker.features.words import zipf

FEATURES = (
    "auxiliary_share",  # can could may might must shall should will would / n
    "subordinator_share",  # because although which ... / n
    "preposition_share",  # of in to for ... / n
    "article_share",  # the a an / n
    "second_person_share",  # you your yours / n
    "be_share",  # forms of to be / n
    "chat_share",  # u ur gonna alot ... / n
    "lost_apostrophes",  # dont cant im ... / n
    "wrong_articles",  # "a apple", "an book" / n
    "wrong_forms",  # "he have", "to went", "can goes" ... / n
    "inner_capitals",  # words with a capital that follow a small letter or a comma / n
    "digit_share",  # digits / n, at most 1
    "longest_sentence",  # words, at most 200
    "endless_share",  # sentences of more than 40 words / sentences
    "scrap_share",  # sentences of fewer than 6 words / sentences
    "unknown_types",  # different words that no list knows / n ** 0.5
    "pair_share",  # different pairs of neighbours / pairs
    "repeated_triples",  # runs of three words that come more than once / n
    "opening_share",  # different first words of sentences / sentences
    "zipf_quarter",  # Zipf frequency below which a quarter of the different known words lie
    "once_share",  # words that come once / n
    "noun_endings",  # words in -tion -ment -ness -ity -ance -ence -ism / n
    "ly_share",  # words in -ly / n
    "ing_share",  # words in -ing / n
    "ed_share",  # words in -ed / n
)
AUXILIARIES = frozenset("can could may might must shall should will would".split())
SUBORDINATORS = frozenset(
    "because although though while whereas if unless until since when whenever where wherever whether after before that "
    "which who whom whose".split()
)
PREPOSITIONS = frozenset(
    "of in to for with on at from by about as into through after over between out against during without before under "
    "around among".split()
)
ARTICLES = frozenset("the a an".split())
SECOND_PERSON = frozenset("you your yours".split())
BE = frozenset("am is are was were be been being".split())
CHAT = frozenset("u ur r cuz bc lol omg gonna wanna kinda gotta alot thru tho thx pls ppl plz btw".split())
LOST_APOSTROPHE = frozenset(
    "dont cant wont didnt doesnt isnt arent wasnt werent couldnt wouldnt shouldnt havent hasnt hadnt im ive ill youre theyre "
    "thats theres whats lets id aint".split()
)
KINDS = (AUXILIARIES, SUBORDINATORS, PREPOSITIONS, ARTICLES, SECOND_PERSON, BE, CHAT, LOST_APOSTROPHE)
NOUN_ENDINGS = ("tion", "ment", "ness", "ity", "ance", "ence", "ism")
WRONG_ARTICLE = re.compile(r"\ba [aeio][a-z]+|\ban (?![aeioux]|h)[a-z]+", re.IGNORECASE)
# RE2, searched in small letters: so many alternatives take Python's own search 16 times as long.
WRONG_FORM = re2.compile(
    r"\b(?:he|she|it) (?:have|do|go|want|need|are|were|don't|dont)\b"
    r"|\b(?:they|we|you) (?:is|was|has|does|doesn't)\b|\bi (?:is|are|has|were)\b"
    r"|\b(?:people|students|kids|children|parents|teachers) (?:is|was|has|does)\b"
    r"|\bto (?:went|did|was|were|had|made|got)\b|\b(?:more|most) \w+(?:er|est)\b"
    r"|\bdid(?:n't|nt)? (?:went|came|got|had|saw|made)\b"
    r"|\b(?:this|that) (?:are|were)\b|\b(?:these|those) (?:is|was)\b|\bmuch (?:people|students|things)\b"
    r"|\b(?:can|could|will|would|should|must|may|might) (?:to|is|are|was|has|had|going|being)\b",
)
INNER_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+")
OPENING = re.compile(r"(?:^|[.!?]\s+)([A-Za-z']+)")
DIGIT = re.compile(r"\d")
LONGEST, ENDLESS, SCRAP = 200.0, 40, 6


def row(text: str, words: Sequence[str], sentences: Sequence[int]) -> list[float]:
    """The features of one text, its words in small letters, and the words of each sentence."""
    n, counts = max(1, len(words)), Counter(words)
    return [
        *(sum(map(counts.__getitem__, counts.keys() & kind)) / n for kind in KINDS),
        *_slips(text, n),
        *_sentences(sentences),
        *_variety(words, counts, n),
        *_openings(text),
        *_rarity(counts, n),
        *_endings(counts, n),
    ]


def _slips(text: str, n: int) -> list[float]:
    found = (
        WRONG_ARTICLE.findall(text),
        WRONG_FORM.findall(text.lower()),
        INNER_CAPITAL.findall(text),
        DIGIT.findall(text),
    )
    return [min(len(each) / n, 1.0) for each in found]


def _sentences(lengths: Sequence[int]) -> list[float]:
    endless, scraps = (
        sum(test) / len(lengths) for test in ([s > ENDLESS for s in lengths], [s < SCRAP for s in lengths])
    )
    return [min(float(max(lengths)), LONGEST), endless, scraps]


def _variety(words: Sequence[str], counts: Counter[str], n: int) -> list[float]:
    pairs, triples = list(pairwise(words)), Counter(zip(words, words[1:], words[2:], strict=False))
    unknown = len([word for word in counts if zipf(word) == 0])
    again = sum([times for times in triples.values() if times > 1])
    return [unknown / math.sqrt(n), len(set(pairs)) / max(1, len(pairs)), again / n]


def _openings(text: str) -> list[float]:
    first = [word.lower() for word in OPENING.findall(text)]
    return [len(set(first)) / max(1, len(first))]


def _rarity(counts: Counter[str], n: int) -> list[float]:
    known = sorted(z for z in map(zipf, counts) if z > 0) or [0.0]
    return [known[len(known) // 4], list(counts.values()).count(1) / n]


def _endings(counts: Counter[str], n: int) -> list[float]:
    return [
        sum([times for word, times in counts.items() if word.endswith(ending)]) / n
        for ending in (NOUN_ENDINGS, "ly", "ing", "ed")
    ]
