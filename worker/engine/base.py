"""What every engine offers: texts in, pooled hidden states out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from worker.engine.outputs import Outputs
from worker.engine.windows import Window, batches, cut, padded

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


# (ids, attention mask, pool mask), each (b, length) -> sums over the pooled tokens, (b, outputs + layers x hidden)
Forward = Callable[["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float32]"], "NDArray[np.float32]"]


def encode_by_windows(texts: Sequence[str], tokens: Tokens, forward: Forward, width: int, budget: int) -> Encoded:
    """Cuts texts into windows, runs these sorted by length within a token budget, and pools them back into texts."""
    began = perf_counter()
    ids = tokens.ids(texts)
    windows = [w for n, each in enumerate(ids) for w in cut(n, each, tokens.room, tokens.overlap)]
    tokenized = perf_counter()
    sums, counts = np.zeros((len(texts), width), np.float64), np.zeros(len(texts), np.float64)
    for batch in batches([w.size for w in windows], budget):
        rows: list[Window] = [windows[k] for k in batch]
        inputs = padded(rows, tokens.prefix, tokens.suffix, tokens.pad)
        owners = [w.text for w in rows]
        np.add.at(sums, owners, forward(*inputs))
        np.add.at(counts, owners, inputs[2].sum(axis=1))
    vectors = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    how_many = np.bincount([w.text for w in windows], minlength=len(texts)).astype(np.int64)
    lengths = np.array([len(each) for each in ids], np.int64)
    done = perf_counter()
    return Encoded(vectors, lengths, how_many, (tokenized - began) * 1000, (done - tokenized) * 1000)
