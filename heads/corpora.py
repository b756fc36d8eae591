"""The two research corpora as the default head sees them: texts, criteria from 0 to 1, prompts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from worker.head.traits import CRITERIA

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASAP_TRAITS = {
    "Structure": ["organization", "narrativity"],
    "Clarity": ["sentence_fluency", "language"],
    "Relevance": ["prompt_adherence", "content"],
    "Academic_Writing": ["word_choice", "conventions", "style", "voice"],
}
ELLIPSE_TRAITS = {
    "Structure": ["cohesion"],
    "Clarity": ["syntax", "phraseology"],
    "Academic_Writing": ["vocabulary", "grammar", "conventions"],
}
ELLIPSE_COLUMNS = [trait for traits in ELLIPSE_TRAITS.values() for trait in traits]


@dataclass(frozen=True)
class Corpus:
    """n essays. `targets` (n, 4) is NaN where a corpus has no such trait; `steps` (n,) is a trait's range in points."""

    texts: list[str]
    prompts: list[str | None]
    groups: NDArray[np.str_]
    targets: NDArray[np.float64]
    steps: NDArray[np.float64]

    def pick(self, rows: NDArray[np.bool_]) -> Corpus:
        """Some of the essays."""
        places = np.flatnonzero(rows)
        arrays = [getattr(self, k)[rows] for k in ("groups", "targets", "steps")]
        return Corpus([self.texts[n] for n in places], [self.prompts[n] for n in places], *arrays)

    def __add__(self, other: Corpus) -> Corpus:
        arrays = [np.concatenate([getattr(self, k), getattr(other, k)]) for k in ("groups", "targets", "steps")]
        return Corpus(self.texts + other.texts, self.prompts + other.prompts, *arrays)


def asap(folder: Path) -> Corpus:
    """ASAP with the ASAP++ traits; a criterion is the mean of its traits, scaled by the assignment's range."""
    about = json.loads((folder / "assignments.json").read_text())["asap"]
    data = pd.read_csv(folder / "asap.csv", dtype={"assignment": str})
    low = data.assignment.map(lambda a: about[a]["traits"][0]).to_numpy(float)
    span = data.assignment.map(lambda a: about[a]["traits"][1]).to_numpy(float) - low
    prompts = [about[a]["prompt"] for a in data.assignment]
    groups = np.array([f"asap-{a}" for a in data.assignment])
    return Corpus(list(data.text), prompts, groups, _targets(data, ASAP_TRAITS, low, span), span)


def ellipse(folder: Path, file: str) -> Corpus:
    """ELLIPSE, 1 to 5 in half points. The training part does not say which topic an essay is about."""
    data = pd.read_csv(folder / file)
    prompts = list(data.assignment) if "assignment" in data else [None] * len(data)
    one, span = np.ones(len(data)), np.full(len(data), 4.0)
    return Corpus(
        list(data.text), prompts, np.full(len(data), "ellipse"), _targets(data, ELLIPSE_TRAITS, one, span), span
    )


def _targets(
    data: pd.DataFrame, traits: dict[str, list[str]], low: NDArray[np.float64], span: NDArray[np.float64]
) -> NDArray[np.float64]:
    out = np.full((len(data), len(CRITERIA)), np.nan)
    for k, criterion in enumerate(CRITERIA):
        if criterion in traits:
            mean = data[traits[criterion]].astype(float).mean(axis=1).to_numpy()
            out[:, k] = np.clip((mean - low) / span, 0, 1)
    return out
