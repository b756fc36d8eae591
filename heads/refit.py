"""Fitting heads for any encoder on a person's own graded essays: the default head's way, sized to fewer essays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import KFold

from heads.agreement import coverage
from heads.corpora import Corpus
from heads.fit import held_out, stretch_values
from heads.graded import BadData, Graded
from heads.ridge import CONFIDENCE, EDGES, FOLDS, fit, stretched, with_intervals
from heads.standing import fit_standing, half_widths, left_out
from heads.topic import Pairs, Topic, pairs_of
from worker.features.prompt import NO_CENTRE
from worker.head import Evidence, Head
from worker.head.agreement import agreement_of
from worker.head.checkpoint import checkpoint_head
from worker.head.evidence import Counted, joined, words_in
from worker.head.home import OWN
from worker.head.ridge import gate
from worker.head.standing import COLUMNS, Standing
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine import Engine

    Array = NDArray[np.float64]

ALPHAS = (10.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
# Essays of a length that intervals of their own need; of an assignment that is left out.
BIN, GROUP = 50, 10


@dataclass(frozen=True)
class Read:
    """Graded essays with what the encoder said of them."""

    graded: Graded
    counted: Counted
    vectors: NDArray[np.float32]  # (n, D)
    prompts: dict[str, NDArray[np.float32]]

    def evidence(self, centre: Array) -> Evidence:
        """All that a head with this centre looks at."""
        nothing = np.full(self.vectors.shape[1], np.nan, np.float32)
        asked = np.stack([self.prompts[p] if p else nothing for p in self.graded.prompts])
        return joined(self.counted, self.vectors, asked, centre)

    def pairs(self) -> Pairs:
        """What teaches off topic."""
        return pairs_of({"": (corpus_of(self.graded), self.vectors)}, self.prompts)


def corpus_of(graded: Graded) -> Corpus:
    """On all four criteria; assignments of few essays are thrown together."""
    targets = np.full((len(graded.texts), len(CRITERIA)), np.nan)
    for k, name in enumerate(graded.criteria):
        targets[:, CRITERIA.index(name)] = graded.unit[:, k]
    sizes = Counter(graded.groups.tolist())
    groups = np.array([g if sizes[g] >= GROUP else "" for g in graded.groups.tolist()])
    return Corpus(graded.texts, graded.prompts, groups, targets, np.ones(len(groups)))


def refit(read: Read, engine: Engine, topic: Topic) -> tuple[Head, dict[str, Any]]:
    """The head, and what was measured of it by cross-validation."""
    y, evidence, graded = read.graded.unit, read.evidence(topic.centre), read.graded
    folds = list(KFold(FOLDS, shuffle=True, random_state=0).split(y))
    if engine.outputs:
        alpha, (head, raw) = None, _outputs(read, engine)
        final = stretched(head, raw, y)
    else:
        none = np.zeros(0)
        head = Head(
            OWN, 0, graded.criteria, engine.model, engine.revision, False, CONFIDENCE,
            none, none, none, none, none, none, topic.weights, topic.centre,
        )  # fmt: skip
        tries = {alpha: held_out(head, evidence, y, alpha, folds) for alpha in ALPHAS}
        alpha = min(tries, key=lambda a: float(np.nanmean((tries[a] - y) ** 2)))
        raw = tries[alpha]
        final = stretched(fit(head, evidence, y, alpha), raw, y)
    final = replace(final, topic=topic.weights, centre=topic.centre)
    predicted = stretch_values(raw, y)
    if "Relevance" in graded.criteria:
        predicted[:, graded.criteria.index("Relevance")] *= gate(final.on_topic(evidence))
    measured = {"alpha": alpha, "agreement": agreement_of(graded.scales, graded.scores, predicted)}
    return _sized(final, predicted, evidence.words, y), {
        **measured,
        "coverage": _covered(final, predicted, read, folds),
    }


def _outputs(read: Read, engine: Engine) -> tuple[Head, Array]:
    """A checkpoint's outputs on the scale that they have in these essays."""
    vectors = read.vectors
    own = vectors[:, : len(engine.outputs)]
    low, high = float(own.min()), float(own.max())
    if not low < high:
        raise BadData("the checkpoint says the same of every essay: nothing can be fitted to it")
    head = checkpoint_head(engine.model, engine.revision, engine.outputs.labels, vectors.shape[1], low, high)
    missing = [name for name in read.graded.criteria if name not in head.criteria]
    if missing:
        raise BadData(f"the checkpoint has no output for {', '.join(missing)}: leave such columns away")
    places = [head.criteria.index(name) for name in read.graded.criteria]
    head = replace(
        head, name=OWN, criteria=read.graded.criteria, weights=head.weights[:, places], bias=head.bias[places]
    )
    return head, head.raw(read.evidence(NO_CENTRE))


def _sized(head: Head, predicted: Array, words: NDArray[np.int64], y: Array) -> Head:
    """`head` with intervals: by length where each length has essays enough, else one width for all."""
    bins = np.searchsorted(EDGES, words, side="right")
    counts = [np.bincount(bins[~np.isnan(y[:, k])], minlength=len(EDGES) + 1).min() for k in range(y.shape[1])]
    made = with_intervals(head, predicted, words, y, EDGES if min(counts) >= BIN else np.zeros(0))
    return replace(made, half_widths=np.minimum(made.half_widths, 1.0))


def _covered(head: Head, predicted: Array, read: Read, folds: list[Any]) -> dict[str, dict[str, float]]:
    """Coverage of held-out scores; each fold's widths come from the other folds' residuals."""
    y, words = read.graded.unit, words_in(read.counted.surface)
    low, high = np.zeros_like(y), np.zeros_like(y)
    for train, test in folds:
        made = _sized(head, predicted[train], words[train], y[train])
        half = made.half_widths[np.searchsorted(made.edges, words[test], side="right")][:, :-1]
        low[test], high[test] = np.clip(predicted[test] - half, 0, 1), np.clip(predicted[test] + half, 0, 1)
    return coverage(y, low, high, read.graded.criteria)


def refit_standing(read: Read, engine: Engine) -> Standing:
    """The standing head that calibrations begin with. Its intervals are measured if there are two assignments, else
    as wide as the scale."""
    surface, corpus = read.counted.surface, corpus_of(read.graded)
    inputs = np.hstack([read.vectors, surface])
    known = inputs, surface.shape[1], corpus, engine.model, engine.revision
    standing = fit_standing(*known)
    several = len(np.unique(corpus.groups)) > 1
    widths = half_widths(corpus, left_out(*known)) if several else [1.0] * len(COLUMNS)
    return replace(standing, half_widths=np.array(widths))
