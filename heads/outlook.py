"""How well a taught head knows what is unlike its examples: assignments left out, and gibberish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heads.corpora import Corpus
from heads.made_texts import EACH, positives
from worker.head import Evidence
from worker.head.standing import load_standing
from worker.head.taught import Taught
from worker.head.teaching import Criterion, teach
from worker.reading import Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Essays of each assignment, and those of them that teach.
ESSAYS, COHORT = 100, 50


def strangers(corpus: Corpus, reader: Reader) -> tuple[float, float, float]:
    """Shares that heads of 50 essays find unusual: of the same assignment's others, of other assignments', of gibberish."""
    draw = np.random.default_rng(0)
    names = [str(name) for name in np.unique(corpus.groups)]
    read = {
        name: _read(corpus, draw.permutation(np.flatnonzero(corpus.groups == name))[:ESSAYS], reader) for name in names
    }
    noise = _evidence([made.text for made in positives()["gibberish"][:EACH]], reader)
    rates = []
    for name in names:
        head = _taught(read[name].pick(np.arange(COHORT)), reader)
        own = head.predict(read[name].pick(np.arange(COHORT, ESSAYS))).unusual
        others = [head.predict(read[other]).unusual for other in names if other != name]
        rates.append([_share([own]), _share(others), _share([head.predict(noise).unusual])])
    own_rate, others_rate, noise_rate = np.mean(rates, axis=0)
    return float(own_rate), float(others_rate), float(noise_rate)


def _share(unusual: list[NDArray[np.bool_] | None]) -> float:
    return float(np.mean(np.concatenate([each for each in unusual if each is not None])))


def _read(corpus: Corpus, rows: NDArray[np.int64], reader: Reader) -> Evidence:
    return _evidence([corpus.texts[n] for n in rows], reader)


def _evidence(texts: list[str], reader: Reader) -> Evidence:
    return reader.look(texts, [None] * len(texts))


def _taught(evidence: Evidence, reader: Reader) -> Taught:
    """A head of a cohort that nobody has graded."""
    assert evidence.vectors is not None  # noqa: S101 - the reader has an engine
    engine = reader.engine
    inputs = np.hstack([evidence.vectors, evidence.surface]).astype(np.float64)
    criteria = [Criterion("Structure", "Structure", 0.0, 1.0, 1.0)]
    nobody = np.full((len(inputs), 1), np.nan)
    numbers, _ = teach(
        inputs, evidence.surface.shape[1], nobody, criteria, load_standing(engine.model, engine.revision)
    )
    return Taught("cohort", ("Structure",), (1.0,), engine.model, engine.revision, numbers)
