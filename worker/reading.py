"""What is known of texts: vectors and features, computed now or kept from an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from db.jobs import Claimed
from worker.advisories import notice
from worker.engine.base import Encoded
from worker.features.prompt import FEATURES as PROMPT_FEATURES
from worker.features.surface import FEATURES as SURFACE
from worker.features.text import Text
from worker.head import Evidence, gather
from worker.head.evidence import Counted, count, joined, words_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.base import Engine

PROMPTS_KEPT = 256
# Vectors are kept in half precision. Fresh ones are rounded to it too, so that a regrade gives the same scores.
KEPT_AS, COUNTED_AS = np.dtype("<f2"), np.dtype("<f4")


class Reader:
    """An engine with what it remembers of assignment prompts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._prompts: dict[str, NDArray[np.float32]] = {}
        # Looking at words needs no engine, and an engine that computes needs no Python: they run side by side.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="counting")

    def read(self, held: Sequence[Claimed]) -> tuple[Encoded, Evidence]:
        """Vectors and features of jobs; what is kept is not computed again."""
        if all(_counted(job) and (job.topic or not job.prompt) for job in held):
            encoded = self._encoded(held)
            return encoded, _remembered(held, encoded.vectors)
        texts, prompts = [job.text for job in held], [job.prompt for job in held]
        seen = self._beside.submit(_seen, texts, prompts)
        encoded = self._encoded(held)
        topics = self._prompt_vectors(prompts, encoded.vectors.shape[1])
        counted, noticed = seen.result()
        return encoded, joined(counted, encoded.vectors, topics, noticed)

    def look(self, texts: Sequence[str], prompts: Sequence[str | None]) -> Evidence:
        """The evidence of texts that are no jobs: for explanations, and for measuring."""
        counted = self._beside.submit(lambda: count([Text(text) for text in texts], prompts))
        vectors = self.encode(texts).vectors
        return joined(counted.result(), vectors, self._prompt_vectors(prompts, vectors.shape[1]))

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The engine's vectors, in the precision in which they are kept."""
        made = self.engine.encode(texts)
        vectors = made.vectors.astype(KEPT_AS).astype(np.float32)
        return Encoded(vectors, made.tokens, made.windows, made.tokenize_ms, made.inference_ms)

    def _encoded(self, held: Sequence[Claimed]) -> Encoded:
        new = [n for n, job in enumerate(held) if job.vector is None]
        if len(new) == len(held):
            return self.encode([job.text for job in held])
        made = self.encode([held[n].text for n in new]) if new else None
        width = next(len(job.vector) for job in held if job.vector is not None) // KEPT_AS.itemsize
        vectors, counts = np.zeros((len(held), width), np.float32), np.zeros((2, len(held)), np.int64)
        for n, job in enumerate(held):
            if job.vector is not None:
                vectors[n] = np.frombuffer(job.vector, KEPT_AS)
        if made is not None:
            vectors[new], counts[0, new], counts[1, new] = made.vectors, made.tokens, made.windows
        times = (made.tokenize_ms, made.inference_ms) if made else (0.0, 0.0)
        return Encoded(vectors, counts[0], counts[1], *times)

    def _prompt_vectors(self, prompts: Sequence[str | None], width: int) -> NDArray[np.float32]:
        """Vectors of the assignment prompts, (n, D); NaN rows where there is none. A class shares its prompt: kept."""
        new = sorted({p for p in prompts if p} - self._prompts.keys())
        if new:
            if len(self._prompts) + len(new) > PROMPTS_KEPT:
                self._prompts.clear()
                new = sorted({p for p in prompts if p})
            self._prompts.update(zip(new, self.encode(new).vectors, strict=True))
        nothing = np.full(width, np.nan, np.float32)
        return np.stack([self._prompts[p] if p else nothing for p in prompts])


def _counted(job: Claimed) -> bool:
    """Whether the features that are kept are those that are counted now: an older version counted fewer."""
    return job.surface is not None and len(job.surface) == len(SURFACE) * COUNTED_AS.itemsize


def _seen(texts: Sequence[str], prompts: Sequence[str | None]) -> tuple[Counted, tuple[frozenset[str], ...]]:
    """What texts hold, and what is to be remarked of them whatever a model says."""
    read = [Text(text) for text in texts]
    counted = count(read, prompts)
    return counted, tuple(notice(*each) for each in zip(read, prompts, counted.surface, strict=True))


def _remembered(held: Sequence[Claimed], vectors: NDArray[np.float32]) -> Evidence:
    """The evidence of jobs of which all is kept: no text is read."""
    counted = np.stack([np.frombuffer(job.surface or b"", COUNTED_AS) for job in held]).astype(np.float64)
    nothing = [np.nan] * len(PROMPT_FEATURES)
    topics = np.array([job.topic or nothing for job in held], np.float64)
    return Evidence(vectors, counted, topics, words_in(counted))


def without_engine(held: Sequence[Claimed]) -> Evidence:
    """What can be counted in texts that no encoder reads."""
    return gather([job.text for job in held], [job.prompt for job in held])


def as_kept(vectors: NDArray[np.float32], counted: NDArray[np.float64], n: int) -> tuple[bytes, bytes]:
    """One text's vector and surface features in the form in which they are kept."""
    return vectors[n].astype(KEPT_AS).tobytes(), counted[n].astype(COUNTED_AS).tobytes()
