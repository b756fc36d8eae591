"""Texts are cut into windows that overlap; each token is pooled from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """A run of tokens of one text, of which ids[first:last] are pooled; the rest is context for them."""

    text: int
    ids: Sequence[int]
    first: int
    last: int

    @property
    def size(self) -> int:
        return len(self.ids)


# Attention costs the square of a window. Essays read in windows of 512 tokens are graded no better than in these, and take a
# fifth longer (docs/adr/0028-short-windows.md).
WINDOW = 256
# A window shares an eighth of its tokens with the next one, and so many at least: few are read without what stands around them.
SHARED, LEAST_SHARED = 8, 32


def as_read(revision: str, window: int) -> str:
    """A model's revision, the windows that it reads texts in, and that it reads what a text says again but once: vectors,
    and what is fitted to them, belong to all of these."""
    return f"{revision}-w{window}-once"


def overlap_of(window: int) -> int:
    """Tokens that windows of this many share; `cut` lets them share no more than half."""
    return max(LEAST_SHARED, window // SHARED)


def cut(text: int, ids: Sequence[int], room: int, overlap: int) -> list[Window]:
    """As few windows of at most `room` tokens as there can be, of one size.

    Neighbours share `overlap` tokens, or a few more, and meet in the middle of what they share.
    """
    if len(ids) <= room:
        return [Window(text, ids, 0, len(ids))]
    overlap = min(overlap, room // 2)
    count = -(-(len(ids) - overlap) // (room - overlap))
    size = -(-(len(ids) + (count - 1) * overlap) // count)
    starts = [round(k * (len(ids) - size) / (count - 1)) for k in range(count)]
    edges = [0, *((before + size + start) // 2 for before, start in pairwise(starts)), len(ids)]
    return [
        Window(text, ids[start : start + size], edges[k] - start, edges[k + 1] - start)
        for k, start in enumerate(starts)
    ]


def spread(sizes: Sequence[int], lanes: int, most: int) -> list[list[int]]:
    """Places of windows in groups of like length, `most` windows at most, that keep every lane busy where there are enough."""
    order = sorted(range(len(sizes)), key=lambda k: -sizes[k])
    full = -(-len(order) // most)
    count = max(1, min(len(order), -(-full // lanes) * lanes))
    edges = [len(order) * k // count for k in range(count + 1)]
    return [order[first:last] for first, last in pairwise(edges) if first < last]


def batches(sizes: Sequence[int], budget: int) -> list[list[int]]:
    """Places of windows in groups of like length; a group's longest times its number stays within the token budget."""
    groups: list[list[int]] = []
    for place in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        if groups and (len(groups[-1]) + 1) * max(1, sizes[groups[-1][0]]) <= budget:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def padded(
    rows: Sequence[Window], prefix: Sequence[int], suffix: Sequence[int], pad: int, multiple: int = 1, most: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Ids, attention mask and pool mask of a batch, each (b, longest + special tokens).

    The length is rounded up to a multiple, but not beyond `most`: there are no positions there. A window without tokens
    pools its special tokens, or else a pad token, so that an empty text has a vector too.
    """
    extra, front = len(prefix) + len(suffix), len(prefix)
    longest = max(1, max(row.size for row in rows) + extra)
    length = max(longest, min(-(-longest // multiple) * multiple, most))
    ids = np.full((len(rows), length), pad, np.int64)
    mask, pool = np.zeros((len(rows), length), np.int64), np.zeros((len(rows), length), np.float32)
    for n, row in enumerate(rows):
        whole = [*prefix, *row.ids, *suffix] or [pad]
        ids[n, : len(whole)] = whole
        mask[n, : len(whole)] = 1
        pool[n, front + row.first : front + row.last] = 1
        if not row.size:
            pool[n, : len(whole)] = 1
    return ids, mask, pool
