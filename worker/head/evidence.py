"""All that a head looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from worker.features.prompt import NO_CENTRE, POOLED_LAYERS, overlaps, prompt_features
from worker.features.surface import FEATURES, passes, surface_of
from worker.features.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Evidence:
    """What is known of n texts. `vectors` is None when the encoder could not run."""

    vectors: NDArray[np.float32] | None  # (n, D)
    surface: NDArray[np.float64]  # (n, F): worker/features/surface.py
    prompt: NDArray[np.float64]  # (n, 5): worker/features/prompt.py; NaN rows without an assignment prompt
    words: NDArray[np.int64]  # (n,)
    # (n,) codes of remarks on the texts themselves, where they were looked for: worker/advisories.py
    noticed: tuple[frozenset[str], ...] | None = None

    def pick(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Evidence:
        """The evidence of some of the texts."""
        vectors = None if self.vectors is None else self.vectors[rows]
        places = np.arange(len(self.words))[rows]
        noticed = None if self.noticed is None else tuple(self.noticed[n] for n in places)
        return Evidence(vectors, self.surface[rows], self.prompt[rows], self.words[rows], noticed)

    def without_encoder(self) -> Evidence:
        """The same, as it is when no encoder can run."""
        prompt = self.prompt.copy()
        prompt[:, :POOLED_LAYERS] *= 0  # NaN rows stay
        return Evidence(None, self.surface, prompt, self.words, self.noticed)


@dataclass(frozen=True)
class Counted:
    """What n texts hold, whatever an encoder makes of them."""

    surface: NDArray[np.float64]  # (n, F)
    overlaps: NDArray[np.float64]  # (n, 2) with their assignment prompts: worker/features/prompt.py


def count(texts: Sequence[Text], prompts: Sequence[str | None]) -> Counted:
    """Counts, rounded as they are kept, so that a regrade sees what the first run saw."""
    return Counted(surface_of(texts).astype(np.float32).astype(np.float64), overlaps(texts, prompts))


def gather(
    texts: Sequence[str],
    prompts: Sequence[str | None],
    vectors: NDArray[np.float32] | None = None,
    prompt_vectors: NDArray[np.float32] | None = None,
    centre: NDArray[np.floating] = NO_CENTRE,
) -> Evidence:
    """The evidence of texts and their assignment prompts; `prompt_vectors` has NaN rows where there is none.
    `centre` (2, D) is the encoder's: worker/features/prompt.py."""
    return joined(count_all(texts, prompts), vectors, prompt_vectors, centre)


def count_all(texts: Sequence[str], prompts: Sequence[str | None]) -> Counted:
    """What any number of texts hold, some at a time."""
    parts = [count([Text(text) for text in texts[part]], prompts[part]) for part in passes([len(t) for t in texts])]
    parts = parts or [count([], [])]
    return Counted(np.concatenate([p.surface for p in parts]), np.concatenate([p.overlaps for p in parts]))


def joined(
    counted: Counted,
    vectors: NDArray[np.float32] | None,
    prompt_vectors: NDArray[np.float32] | None,
    centre: NDArray[np.floating],
    noticed: tuple[frozenset[str], ...] | None = None,
) -> Evidence:
    """What is counted in texts and what an encoder makes of them, as one."""
    topics = prompt_features(counted.overlaps, vectors, prompt_vectors, centre)
    return Evidence(vectors, counted.surface, topics, words_in(counted.surface), noticed)


def words_in(counted: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) words, read back from the surface features."""
    return np.rint(np.expm1(counted[:, FEATURES.index("log_words")])).astype(np.int64)
