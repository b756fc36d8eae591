"""What tells a text that answers its assignment prompt from one that answers another: fitted, and measured on prompts
left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from heads.corpora import Corpus
from worker.features.prompt import NO_CENTRE, overlaps, prompt_features
from worker.features.text import Text
from worker.head.ridge import NEUTRAL_TOPIC, gate, on_topic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Vectors = NDArray[np.float32]

FOLDS = 12
# Prompts, and texts that have one, from which this can be learned.
PROMPTS, PROMPTED = 4, 40
FALSE_ALARMS = 0.02


@dataclass(frozen=True)
class Topic:
    """Parts of a head."""

    weights: Array  # (1 + 5,)
    centre: Array  # (2, D)


NEUTRAL = Topic(NEUTRAL_TOPIC, NO_CENTRE)


@dataclass(frozen=True)
class Pairs:
    """n texts, each with its own of p prompts, and with another one of its corpus."""

    vectors: Vectors | None  # (n, D); None: as a head without an encoder sees them
    prompts: Vectors  # (p, D)
    own: NDArray[np.int64]  # (n,) places among the prompts
    foreign: NDArray[np.int64]  # (n,)
    shared: Array  # (n, 2, 2) what is counted of each text with its own prompt and with the other
    corpora: NDArray[np.str_]  # (n,)

    def pick(self, rows: NDArray[np.bool_]) -> Pairs:
        """Some of the texts."""
        vectors = None if self.vectors is None else self.vectors[rows]
        each = (self.own[rows], self.foreign[rows], self.shared[rows], self.corpora[rows])
        return Pairs(vectors, self.prompts, *each)

    def features(self, centre: Array) -> tuple[Array, Array]:
        """(n, 5) with their own prompts, and with the others."""
        own, foreign = (
            prompt_features(self.shared[:, n], self.vectors, self.prompts[side], centre)
            for n, side in enumerate((self.own, self.foreign))
        )
        return own, foreign

    def enough(self) -> bool:
        """Whether there is enough to learn from."""
        return len(np.unique(self.own)) >= PROMPTS and len(self.own) >= PROMPTED


def pairs_of(corpora: Mapping[str, tuple[Corpus, Vectors]], prompt_vectors: Mapping[str, Vectors]) -> Pairs:
    """The texts that have a prompt, each with one drawn from its corpus' others as well. Where a corpus has but one prompt,
    nothing can be drawn: its texts are left out."""
    names = sorted(prompt_vectors)
    rows, own, foreign, shared, of = [], [], [], [], []
    for name, (corpus, vectors) in corpora.items():
        draw, asked = np.random.default_rng(0), sorted({p for p in corpus.prompts if p})
        for n, (text, prompt) in enumerate(zip(corpus.texts, corpus.prompts, strict=True)):
            if prompt and len(asked) > 1:
                other, read = str(draw.choice([each for each in asked if each != prompt])), Text(text)
                rows.append(vectors[n])
                own.append(names.index(prompt))
                foreign.append(names.index(other))
                shared.append(overlaps([read, read], [prompt, other]))
                of.append(name)
    width = next(iter(corpora.values()))[1].shape[1]
    return Pairs(
        np.array(rows, np.float32).reshape(-1, width),
        np.array([prompt_vectors[name] for name in names], np.float32).reshape(-1, width),
        np.array(own, np.int64), np.array(foreign, np.int64), np.array(shared).reshape(-1, 2, 2), np.array(of, np.str_),
    )  # fmt: skip


def fit_topic(pairs: Pairs) -> Topic:
    """The centre, and the probability (logistic) that a text answers its prompt. Assignments count alike in the centre."""
    centre = NO_CENTRE if pairs.vectors is None else _centre_of(pairs.vectors, pairs)
    sides = pairs.features(centre)
    y = np.repeat([1, 0], len(pairs.own))
    model = LogisticRegression(C=1.0, max_iter=1000).fit(np.vstack(sides), y)
    return Topic(np.concatenate([model.intercept_, model.coef_[0]]), centre)


def _centre_of(vectors: Vectors, pairs: Pairs) -> Array:
    known = np.unique(pairs.own)
    return np.stack([
        np.mean([vectors[pairs.own == n].mean(axis=0, dtype=np.float64) for n in known], axis=0),
        pairs.prompts[known].mean(axis=0, dtype=np.float64),
    ])  # fmt: skip


def topic_figures(pairs: Pairs) -> dict[str, Any]:
    """How the gate treats texts with their own and with somebody else's prompt, neither of which was fitted on."""
    own, foreign = _held_out(pairs)
    names = np.unique(pairs.corpora)
    by_corpus = {str(name): _figures(own[rows], foreign[rows]) for name in names for rows in [pairs.corpora == name]}
    return {**_figures(own, foreign), **({"by_corpus": by_corpus} if len(by_corpus) > 1 else {})}


def _held_out(pairs: Pairs) -> tuple[Array, Array]:
    own, foreign = np.zeros(len(pairs.own)), np.zeros(len(pairs.own))
    folds = GroupKFold(min(FOLDS, len(np.unique(pairs.own))))
    for _, test in folds.split(pairs.own, groups=pairs.own):
        asked = np.unique(pairs.own[test])
        left = ~np.isin(pairs.own, asked) & ~np.isin(pairs.foreign, asked)
        topic = fit_topic(pairs.pick(left))
        own[test], foreign[test] = (on_topic(side[test], topic.weights) for side in pairs.features(topic.centre))
    return own, foreign


def _figures(own: Array, foreign: Array) -> dict[str, float]:
    gates = gate(own), gate(foreign)
    figures = {
        "own_untouched": (gates[0] >= 1).mean(),
        "own_mean_gate": gates[0].mean(),
        "foreign_mean_gate": gates[1].mean(),
        "foreign_gate_below_half": (gates[1] < 0.5).mean(),
        "auc": roc_auc_score(np.repeat([1, 0], [len(own), len(foreign)]), np.r_[own, foreign]),
        "found_at_2_percent": (foreign < np.quantile(own, FALSE_ALARMS)).mean(),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def without_encoder(pairs: Pairs) -> Pairs:
    """The pairs as a head on surface features alone sees them."""
    return replace(pairs, vectors=None)
