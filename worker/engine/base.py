"""What every engine offers: texts in, pooled hidden states out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from worker.engine.outputs import Outputs
from worker.engine.windows import Window, cut, padded

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


# Waits for what still computes. Called once, by any thread.
Rest = Callable[[], Encoded]


class Engine(Protocol):
    """A loaded encoder on a device. Safe for threads: while one waits for the rest of its texts, another begins with others."""

    name: str
    device: str
    model: str
    revision: str  # of the model, and how it reads: windows.as_read
    window: int
    outputs: Outputs

    def begin(self, texts: Sequence[str]) -> Rest:
        """Reads every token of every text. Returns as soon as it can take other texts: the last of these may still be
        computed. EngineFailed, from here or from the rest, when the model can't compute."""
        ...

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Begins, and waits for the rest."""
        return self.begin(texts)()


# Ids, attention mask and pool mask, each (b, length).
Inputs = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.float32]"]
# Batches -> for each, in their order, sums over the pooled tokens, (b, outputs + layers x hidden). It takes the next
# batch while it computes one, so that these are prepared meanwhile.
Forward = Callable[[Iterable[Inputs]], Iterator["NDArray[np.float32]"]]


# Sizes of windows -> their places, in groups that are computed at once.
Grouping = Callable[[Sequence[int]], list[list[int]]]


def begin_by_windows(
    texts: Sequence[str],
    tokens: Tokens,
    forward: Forward,
    width: int,
    group: Grouping,
    piece: int = 0,
    multiple: int = 1,
) -> Rest:
    """Cuts texts into windows, runs these group by group, and pools them back into texts.

    So many texts as `piece` says (0: all) are cut and grouped at once, while those before are computed.
    """
    began = perf_counter()
    reading = Reading(texts, tokens, group, piece, multiple)
    sums = np.zeros((len(texts), width), np.float64)
    results = forward(reading.inputs())

    def take(until_handed_in: bool) -> None:
        while not (until_handed_in and reading.handed_in):
            each = next(results, None)
            if each is None:
                return
            np.add.at(sums, reading.rows.popleft(), each)

    def rest() -> Encoded:
        take(until_handed_in=False)
        vectors = (sums / np.maximum(reading.pooled, 1)[:, None]).astype(np.float32)
        spent_ms = (perf_counter() - began) * 1000
        return Encoded(vectors, reading.lengths, reading.windows, reading.tokenize_ms, spent_ms - reading.tokenize_ms)

    take(until_handed_in=True)
    return rest


class Reading:
    """What becomes of n texts on their way into an engine."""

    def __init__(self, texts: Sequence[str], tokens: Tokens, group: Grouping, piece: int, multiple: int) -> None:
        self.texts, self.tokens, self.group, self.multiple = texts, tokens, group, multiple
        self.piece = piece or max(1, len(texts))
        self.lengths, self.windows = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
        self.pooled = np.zeros(len(texts), np.float64)  # tokens
        self.rows: deque[list[int]] = deque()  # the texts of the batches that are under way
        self.tokenize_ms, self.handed_in = 0.0, False

    def inputs(self) -> Iterator[Inputs]:
        for start in range(0, len(self.texts), self.piece):
            windows = self._cut(start, self.texts[start : start + self.piece])
            for batch in self.group([w.size for w in windows]):
                yield self._padded([windows[k] for k in batch])
        self.handed_in = True

    def _cut(self, start: int, texts: Sequence[str]) -> list[Window]:
        began = perf_counter()
        out: list[Window] = []
        for n, ids in enumerate(self.tokens.ids(texts), start):
            made = cut(n, ids, self.tokens.room, self.tokens.overlap)
            self.lengths[n], self.windows[n] = len(ids), len(made)
            out += made
        self.tokenize_ms += (perf_counter() - began) * 1000
        return out

    def _padded(self, windows: list[Window]) -> Inputs:
        known = self.tokens
        made = padded(windows, known.prefix, known.suffix, known.pad, self.multiple, known.window)
        texts = [w.text for w in windows]
        np.add.at(self.pooled, texts, made[2].sum(axis=1))
        self.rows.append(texts)
        return made
