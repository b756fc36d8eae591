"""`python -m heads.fit --data DIR`: fits the default head and the surface head, and measures both."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import GroupKFold, KFold

from heads.agreement import by_assignment, coverage, means
from heads.corpora import Corpus, asap, ellipse
from heads.embed import embed, reading
from heads.ridge import FOLDS, fit, overall_of, stretched, with_intervals
from heads.standing import fit_standing, measured_standing, write_standing
from heads.topic import fit_topic, pairs_of, topic_figures, without_encoder
from worker.engine.published import MINILM, PUBLISHED, Published, named
from worker.head import Evidence, Head, gather
from worker.head.ridge import gate
from worker.head.store import HERE, write_head
from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHAS = (3_000.0, 10_000.0, 30_000.0, 60_000.0)
# Of the default head and the surface head: what an earlier one scored is not given again for the same text.
VERSION = 2
# Kappas that lie so near to each other are alike.
ALIKE = 0.002
NOTHING = np.zeros(0)
DATA = [
    "ASAP-AES (Hewlett Foundation, Kaggle 2012) with ASAP++ traits (Mathias & Bhattacharyya 2018), assignments 1-5, 7, 8",
    "ELLIPSE corpus, training part (Crossley et al. 2023), CC BY-NC-SA 4.0",
]
LICENCE = (
    "Fitted on research corpora, one of them for non-commercial use: this head is for research and evaluation. "
    "For anything else, refit on essays of your own: python -m heads.fit --help."
)


def blank(name: str, degraded: bool, model: Published = MINILM) -> Head:
    """A head without numbers."""
    arrays: dict[str, Any] = dict.fromkeys(
        ("mean", "scale", "weights", "bias", "edges", "half_widths", "topic", "centre"), NOTHING
    )
    return Head(name, VERSION, CRITERIA, model.name, model.as_read, degraded, 0.9, **arrays)


def mixed(targets: NDArray[np.float64], groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """What the default head learns: human scores, standardised over all assignments, plus standing within each.

    Scores alone teach it which assignments were marked high, which is no use for a new one; standing alone knows nothing
    of levels. The sum agrees better than either where the assignment is known, and as well as standing where it is not.
    """
    out = (targets - np.nanmean(targets, axis=0)) / np.nanstd(targets, axis=0)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        known = np.flatnonzero(~np.isnan(targets[rows]).all(axis=0))
        own = targets[np.ix_(rows, known)]
        out[np.ix_(rows, known)] += (own - np.nanmean(own, axis=0)) / (np.nanstd(own, axis=0) + 1e-9)
    return np.asarray(out)


def held_out(
    head: Head, evidence: Evidence, targets: NDArray[np.float64], alpha: float, folds: list[Any],
    groups: NDArray[np.str_] | None = None,
) -> NDArray[np.float64]:  # fmt: skip
    """(n, C) raw predictions, each by a head that was fitted without that text's fold; of `mixed` targets, with groups."""
    raw = np.zeros_like(targets)
    for train, test in folds:
        y = targets[train] if groups is None else mixed(targets[train], groups[train])
        fitted = fit(head, evidence.pick(train), y, alpha)
        raw[test] = fitted.raw(evidence.pick(test))
    return raw


def folds_of(corpus: Corpus) -> tuple[list[Any], list[Any]]:
    """Folds in which every assignment was seen, and folds that each leave one assignment (or corpus) out."""
    n = np.arange(len(corpus.texts))
    seen = list(KFold(FOLDS, shuffle=True, random_state=0).split(n))
    return seen, list(GroupKFold(len(np.unique(corpus.groups))).split(n, groups=corpus.groups))


def stretch_values(raw: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raw predictions with the mean and spread of the human scores, cut to the scale."""
    known = np.where(np.isnan(targets), np.nan, raw)
    factor = np.nanstd(targets, axis=0) / np.nanstd(known, axis=0)
    return np.asarray(np.clip((raw - np.nanmean(known, axis=0)) * factor + np.nanmean(targets, axis=0), 0, 1))


def make(head: Head, evidence: Evidence, corpus: Corpus) -> tuple[Head, dict[str, Any]]:
    """A fitted head and what was measured of it."""
    seen, unseen = folds_of(corpus)
    targets, groups = corpus.targets, corpus.groups
    tries = {
        alpha: stretch_values(held_out(head, evidence, targets, alpha, unseen, groups), targets) for alpha in ALPHAS
    }
    unseen_by_alpha = {each: means(by_assignment(corpus, tries[each]))["mean"] for each in ALPHAS}
    alpha = least_of_the_best(unseen_by_alpha)
    raw = held_out(head, evidence, targets, alpha, seen, groups)
    known = stretch_values(raw, corpus.targets)
    gated = known.copy()
    gated[:, CRITERIA.index("Relevance")] *= gate(head.on_topic(evidence))
    final = stretched(fit(head, evidence, mixed(targets, groups), alpha), raw, targets)
    final = with_intervals(final, gated, evidence.words, corpus.targets)
    return final, {
        "alpha": alpha,
        "seen": agreement(corpus, gated),
        "unseen": agreement(corpus, tries[alpha]),
        "unseen_by_alpha": {str(a): value for a, value in unseen_by_alpha.items()},
        "coverage": {
            "seen": interval_coverage(final, gated, evidence, corpus, seen),
            "unseen": interval_coverage(final, tries[alpha], evidence, corpus, None),
        },
    }


def least_of_the_best(kappas: dict[float, float]) -> float:
    """The smallest penalty that agrees as well as the best, or nearly: a larger one costs where assignments are known."""
    return min(alpha for alpha, kappa in kappas.items() if kappa >= max(kappas.values()) - ALIKE)


def agreement(corpus: Corpus, machine: NDArray[np.float64]) -> dict[str, Any]:
    table = by_assignment(corpus, machine)
    return {"by_assignment": table, "means": means(table)}


def interval_coverage(
    head: Head, scores: NDArray[np.float64], evidence: Evidence, corpus: Corpus, folds: list[Any] | None
) -> dict[str, Any]:
    """Coverage of held-out human scores; with folds, each fold's widths come from the other folds' residuals."""
    low, high = np.zeros_like(scores), np.zeros_like(scores)
    for train, test in folds or [(None, np.arange(len(scores)))]:
        made = (
            head if train is None else with_intervals(head, scores[train], evidence.words[train], corpus.targets[train])
        )
        half = made.half_widths[np.searchsorted(made.edges, evidence.words[test], side="right")][:, :-1]
        low[test], high[test] = np.clip(scores[test] - half, 0, 1), np.clip(scores[test] + half, 0, 1)
    return coverage(corpus.targets, low, high)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m heads.fit", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with asap.csv, assignments.json, ellipse*.csv")
    parser.add_argument("--model", choices=[each.name for each in PUBLISHED], default=MINILM.name, help="the encoder")
    parser.add_argument("--out", type=Path, help="where the heads are written, if not where they come along")
    parser.add_argument("--cache", type=Path, default=Path(".gradeline/heads-cache"), help="where embeddings are kept")
    arguments = parser.parse_args()
    model = named(arguments.model) or MINILM
    run(arguments.data, model, arguments.out or folder_of(model), arguments.cache)


def folder_of(model: Published) -> Path:
    """Where the heads of a model come along."""
    return HERE if model is MINILM else HERE / model.name


def run(data: Path, model: Published, out: Path, cache: Path) -> None:
    began = time.monotonic()
    settings = reading(model, cache)
    corpus = asap(data) + ellipse(data, "ellipse_train.csv")
    test = ellipse(data, "ellipse.csv")
    vectors, test_vectors = embed(corpus.texts, cache, settings), embed(test.texts, cache, settings)
    names = sorted({p for p in [*corpus.prompts, *test.prompts] if p})
    prompts = dict(zip(names, embed(names, cache, settings), strict=True))
    nothing = np.full(vectors.shape[1], np.nan, np.float32)
    rows = np.stack([prompts[p] if p else nothing for p in corpus.prompts])
    pairs = pairs_of({"asap": (corpus, vectors), "ellipse": (test, test_vectors)}, prompts)
    topic = fit_topic(pairs)
    evidence = gather(corpus.texts, corpus.prompts, vectors, rows, topic.centre)
    test_evidence = gather(test.texts, [None] * len(test.texts), test_vectors)
    out.mkdir(exist_ok=True)
    seen = {"default": (evidence, pairs, topic)}
    if model is MINILM:  # the surface head needs no encoder: it goes with the default one's
        alone = without_encoder(pairs)
        seen["surface"] = (evidence.without_encoder(), alone, fit_topic(alone))
    for name, (known, compared, topic) in seen.items():
        begun = replace(blank(name, name == "surface", model), topic=topic.weights, centre=topic.centre)
        head, measured = make(begun, known, corpus)
        measured["ellipse_test"] = ellipse_test(head, test_evidence, test)
        measured["topic"] = topic_figures(compared)
        card = {"data": DATA, "licence": LICENCE, "essays": len(corpus.texts), "measured": measured}
        write_head(head, out, card)
        print(name, json.dumps(measured, indent=1))
    inputs = np.hstack([evidence.vectors, evidence.surface]) if evidence.vectors is not None else evidence.surface
    standing = fit_standing(inputs, evidence.surface.shape[1], corpus, model.name, model.as_read)
    figures = measured_standing(inputs, evidence, corpus, model.name, model.as_read)
    write_standing(replace(standing, half_widths=np.array(figures["half_widths"])), out)
    (out / "standing.json").write_text(
        json.dumps({"data": DATA, "licence": LICENCE, "measured": figures}, indent=1) + "\n"
    )
    print("standing", json.dumps(figures, indent=1))
    print(f"done in {time.monotonic() - began:.0f} s")


def ellipse_test(head: Head, evidence: Evidence, test: Corpus) -> dict[str, Any]:
    """Root mean square error in points of 1 to 5, a criterion each, and interval coverage, on essays never fitted on."""
    done = head.predict(evidence)
    errors = np.sqrt(np.nanmean((done.scores - test.targets) ** 2, axis=0)) * 4
    truth, mean = overall_of(test.targets, done.scores)
    return {
        "rmse": {c: round(float(e), 3) for c, e in zip(CRITERIA, errors, strict=True) if not np.isnan(e)},
        "pearson_of_mean": round(float(np.corrcoef(truth, mean)[0, 1]), 3),
        "coverage": {c: v for c, v in coverage(test.targets, done.low, done.high).items() if c != "Relevance"},
    }


if __name__ == "__main__":
    main()
