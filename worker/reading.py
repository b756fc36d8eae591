"""What is known of texts: vectors and features, computed now or kept from an earlier run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from db.work import Claimed
from worker.advisories import notice
from worker.engine.base import Encoded, Rest
from worker.features.prompt import FEATURES as PROMPT_FEATURES
from worker.features.prompt import mark_of
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
    """An engine with its centre (2, D), and with what it remembers of assignment prompts."""

    def __init__(self, engine: Engine, centre: NDArray[np.floating]) -> None:
        self.engine, self.centre, self.mark = engine, centre, mark_of(centre)
        self._prompts: dict[str, NDArray[np.float32]] = {}
        # Looking at words needs no engine, and an engine that computes needs no Python: they run side by side.
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="counting")

    def begin(self, held: Sequence[Claimed]) -> Callable[[], tuple[Encoded, Evidence]]:
        """Vectors and features of jobs, when the engine is done with them; what is kept is not computed again."""
        if all(_counted(job) and self._compared(job) for job in held):
            kept = self._begin(held, [job.text for job in held])
            return lambda: _remembered(held, kept())
        texts, prompts = [Text(job.text) for job in held], [job.prompt for job in held]
        once = _once(texts)
        seen = self._beside.submit(_seen, texts, prompts)
        of_prompts, rest = self._of_prompts(prompts), self._begin(held, once)

        def ended() -> tuple[Encoded, Evidence]:
            encoded, (counted, noticed) = rest(), seen.result()
            topics = _placed(of_prompts, prompts, encoded.vectors.shape[1])
            return encoded, joined(counted, encoded.vectors, topics, self.centre, noticed)

        return ended

    def look(self, texts: Sequence[str], prompts: Sequence[str | None]) -> Evidence:
        """The evidence of texts that are no jobs: for explanations, and for measuring."""
        read = [Text(text) for text in texts]
        once = _once(read)
        counted = self._beside.submit(count, read, prompts)
        of_prompts = self._of_prompts(prompts)
        vectors = _rounded(self.engine.encode(once)).vectors
        return joined(counted.result(), vectors, _placed(of_prompts, prompts, vectors.shape[1]), self.centre)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The engine's vectors of what texts say, each thing once, in the precision in which they are kept."""
        return _rounded(self.engine.encode(_once([Text(text) for text in texts])))

    def _begin(self, held: Sequence[Claimed], once: Sequence[str]) -> Rest:
        new = [n for n, job in enumerate(held) if job.vector is None]
        rest = self.engine.begin([once[n] for n in new]) if new else None
        return lambda: _with_kept(held, new, _rounded(rest()) if rest else None)

    def _compared(self, job: Claimed) -> bool:
        """Whether the prompt features that are kept, if there is a prompt, are those that this centre gives."""
        return not job.prompt or (job.topic is not None and job.topic[len(PROMPT_FEATURES) :] == [self.mark])

    def _of_prompts(self, prompts: Sequence[str | None]) -> dict[str, NDArray[np.float32]]:
        """Vectors of the assignment prompts. A class shares its prompt: they are remembered."""
        wanted, kept = {p for p in prompts if p}, self._prompts
        new = sorted(wanted - kept.keys())
        made = dict(zip(new, self.encode(new).vectors, strict=True)) if new else {}
        if made:  # another mapping: the other thread may look into this one
            self._prompts = made if len(kept) + len(made) > PROMPTS_KEPT else {**kept, **made}
        return {p: made[p] if p in made else kept[p] for p in wanted}


def _rounded(made: Encoded) -> Encoded:
    return replace(made, vectors=made.vectors.astype(KEPT_AS).astype(np.float32))


def _with_kept(held: Sequence[Claimed], new: Sequence[int], made: Encoded | None) -> Encoded:
    """The vectors of all jobs: those that were made now, of the jobs `new`, and those that were kept."""
    if made is not None and len(new) == len(held):
        return made
    width = next(len(job.vector) for job in held if job.vector is not None) // KEPT_AS.itemsize
    vectors, counts = np.zeros((len(held), width), np.float32), np.zeros((2, len(held)), np.int64)
    for n, job in enumerate(held):
        if job.vector is not None:
            vectors[n] = np.frombuffer(job.vector, KEPT_AS)
    if made is None:
        return Encoded(vectors, counts[0], counts[1], 0.0, 0.0)
    vectors[new], counts[0, new], counts[1, new] = made.vectors, made.tokens, made.windows
    return Encoded(vectors, counts[0], counts[1], made.tokenize_ms, made.inference_ms)


def _placed(known: Mapping[str, NDArray[np.float32]], prompts: Sequence[str | None], width: int) -> NDArray[np.float32]:
    """A vector for each prompt, (n, D); NaN rows where there is none."""
    nothing = np.full(width, np.nan, np.float32)
    return np.stack([known[p] if p else nothing for p in prompts])


def _counted(job: Claimed) -> bool:
    """Whether the features that are kept are those that are counted now: an older version counted fewer."""
    return job.surface is not None and len(job.surface) == len(SURFACE) * COUNTED_AS.itemsize


def _once(texts: Sequence[Text]) -> list[str]:
    """What the encoder reads of texts: what they say again, word for word, it would take for more of an essay."""
    return [text.once.text for text in texts]


def _seen(texts: Sequence[Text], prompts: Sequence[str | None]) -> tuple[Counted, tuple[frozenset[str], ...]]:
    """What texts hold, and what is to be remarked of them whatever a model says."""
    counted = count(texts, prompts)
    return counted, tuple(notice(*each) for each in zip(texts, prompts, counted.surface, strict=True))


def _remembered(held: Sequence[Claimed], encoded: Encoded) -> tuple[Encoded, Evidence]:
    """The evidence of jobs of which all is kept: no text is read."""
    counted = np.stack([np.frombuffer(job.surface or b"", COUNTED_AS) for job in held]).astype(np.float64)
    nothing = [np.nan] * len(PROMPT_FEATURES)
    topics = np.array([(job.topic or nothing)[: len(nothing)] for job in held], np.float64)
    return encoded, Evidence(encoded.vectors, counted, topics, words_in(counted))


def without_engine(held: Sequence[Claimed]) -> Evidence:
    """What can be counted in texts that no encoder reads."""
    return gather([job.text for job in held], [job.prompt for job in held])


def as_kept(vectors: NDArray[np.float32], counted: NDArray[np.float64], n: int) -> tuple[bytes, bytes]:
    """One text's vector and surface features in the form in which they are kept."""
    return vectors[n].astype(KEPT_AS).tobytes(), counted[n].astype(COUNTED_AS).tobytes()
