"""What every engine offers: texts in, pooled hidden states out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from worker.engine.outputs import Outputs
from worker.engine.windows import batches, cut, padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.engine.tokens import Tokens


@dataclass(frozen=True)
class Encoded:
    """Vectors of n texts. Times are wall time of the whole call, in milliseconds."""

    # (n, outputs + layers x hidden): a checkpoint's own outputs, then hidden states; means over all tokens of all windows,
    # each counted once
    vectors: NDArray[np.float32]
    tokens: NDArray[np.int64]  # (n,) tokens of each text, without special ones
    windows: NDArray[np.int64]  # (n,)
    tokenize_ms: float
    inference_ms: float

    def pick(self, rows: NDArray[np.int64]) -> Encoded:
        """The vectors of some of the texts; the times stay those of the whole call."""
        return Encoded(self.vectors[rows], self.tokens[rows], self.windows[rows], self.tokenize_ms, self.inference_ms)


class Engine(Protocol):
    """A loaded encoder on a device."""

    name: str
    device: str
    model: str
    revision: str
    window: int
    outputs: Outputs

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Reads every token of every text. EngineFailed when the model can't compute."""
        ...


# Ids, attention mask and pool mask, each (b, length).
Inputs = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float32]"]
# Batches -> for each, in their order, sums over the pooled tokens, (b, outputs + layers x hidden). It takes the next
# batch while it computes one, so that these are prepared meanwhile.
Forward = Callable[[Iterable[Inputs]], Iterable["NDArray[np.float32]"]]


def encode_by_windows(
    texts: Sequence[str], tokens: Tokens, forward: Forward, width: int, budget: int, multiple: int = 1
) -> Encoded:
    """Cuts texts into windows, runs these sorted by length within a token budget, and pools them back into texts."""
    began = perf_counter()
    ids = tokens.ids(texts)
    windows = [w for n, each in enumerate(ids) for w in cut(n, each, tokens.room, tokens.overlap)]
    tokenized = perf_counter()
    groups = [[windows[k] for k in batch] for batch in batches([w.size for w in windows], budget)]
    counts = np.zeros(len(texts), np.float64)

    def inputs() -> Iterator[Inputs]:
        for rows in groups:
            made = padded(rows, tokens.prefix, tokens.suffix, tokens.pad, multiple, tokens.window)
            np.add.at(counts, [w.text for w in rows], made[2].sum(axis=1))
            yield made

    sums = np.zeros((len(texts), width), np.float64)
    for rows, given in zip(groups, forward(inputs()), strict=True):
        np.add.at(sums, [w.text for w in rows], given)
    vectors = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    how_many = np.bincount([w.text for w in windows], minlength=len(texts)).astype(np.int64)
    lengths = np.array([len(each) for each in ids], np.int64)
    done = perf_counter()
    return Encoded(vectors, lengths, how_many, (tokenized - began) * 1000, (done - tokenized) * 1000)
