"""Grand nonsense in the manner of Les Perelman's BABEL generator: sentences that parse, with rare words, about nothing."""

from __future__ import annotations

from random import Random

from worker.features.prompt import content
from worker.features.text import Text
from worker.features.words import words_of, zipf

NOUNS = (
    "quagmire paradigm dichotomy epiphany conundrum propensity sagacity verisimilitude hegemony cacophony panacea "
    "perspicacity malfeasance rectitude effrontery paucity plethora milieu apotheosis disquisition erudition adumbration "
    "circumspection acquiescence postulate exposition amanuensis contrivance injunction ramification"
).split()
ADJECTIVES = (
    "incongruous ubiquitous ephemeral perfidious salubrious quixotic recondite inexorable mellifluous obsequious "
    "pernicious axiomatic inscrutable fastidious querulous dialectical sanguine irreverent munificent intransigent "
    "loquacious trenchant vociferous lugubrious efficacious"
).split()
VERBS = (
    "attenuates promulgates vitiates extirpates corroborates obfuscates exacerbates ameliorates delineates juxtaposes "
    "repudiates vindicates adjudicates perpetuates circumvents elucidates engenders subjugates"
).split()
FRAMES = (
    "{topic} has not, and undoubtedly never will be, {adj}, {adj} and {adj}.",
    "The {noun} of {topic}, often a {adj} {noun}, {verb} the {adj} {noun}.",
    "As I have learned in my {noun} class, {topic} is the most fundamental {noun} of mankind.",
    "Although a {adj} {noun} {verb} {topic}, the {noun} for {topic} {verb} a {noun} by the {noun}.",
    "Society will always {lead} {topic}; some for the {noun} and others of the {adj} {noun}.",
    "The same {noun} may {lead} the {noun} with {topic} in the {noun} of theory of knowledge.",
    "Moreover, {topic} which {verb} all of the {adj} {noun} might be a {noun} on our {noun}.",
    "By {verb_ing} {topic}, a {adj} {noun} can be more {adv} {adj}.",
    "Nevertheless, knowing that the {noun} {verb} {topic}, many of the {noun}s for my {noun} are {adj}.",
    "In conclusion, {topic} will, in the future, be {adj} whether or not the {noun} {verb} the {noun}.",
)
LEADS = ("decry", "extol", "presage", "embark upon", "analyze", "concede")
ADVERBS = ("tenaciously", "inauspiciously", "preternaturally", "disparagingly")


def nonsense(draw: Random, prompt: str | None, words: int) -> str:
    """At least `words` words of it in paragraphs, about the content words of an assignment prompt."""
    topics = keywords(prompt) or ["privateness"]
    sentences: list[str] = []
    while len(words_of(" ".join(sentences))) < words:
        sentences.append(_sentence(draw, topics))
    paragraphs = [" ".join(sentences[n : n + 6]) for n in range(0, len(sentences), 6)]
    return "\n\n".join(paragraphs)


def keywords(prompt: str | None) -> list[str]:
    """The content words of a prompt, the most telling first."""
    stems = content(Text(prompt or ""))
    found = {word for word in words_of(prompt or "") if word[:5] in stems and len(word) > 3}
    return sorted(found, key=lambda word: (zipf(word), word))


def _sentence(draw: Random, topics: list[str]) -> str:
    frame = draw.choice(FRAMES)
    out = frame.replace("{topic}", draw.choice(topics))
    for slot, stock in (("noun", NOUNS), ("adj", ADJECTIVES), ("verb", VERBS), ("lead", LEADS), ("adv", ADVERBS)):
        while f"{{{slot}}}" in out:
            out = out.replace(f"{{{slot}}}", draw.choice(stock), 1)
    out = out.replace("{verb_ing}", draw.choice(VERBS)[:-1].removesuffix("e") + "ing")
    return out[0].upper() + out[1:]
