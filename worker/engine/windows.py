"""Texts longer than a model's window are cut into windows that overlap; each token is pooled from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def cut(text: int, ids: Sequence[int], room: int, overlap: int) -> list[Window]:
    """Windows of at most `room` tokens. Neighbours share `overlap` tokens and meet in the middle of what they share."""
    if len(ids) <= room:
        return [Window(text, ids, 0, len(ids))]
    overlap = min(overlap, room // 2)
    starts = list(range(0, len(ids) - overlap, room - overlap))
    edges = [0, *(start + overlap // 2 for start in starts[1:]), len(ids)]
    return [
        Window(text, ids[start : start + room], edges[k] - start, edges[k + 1] - start)
        for k, start in enumerate(starts)
    ]


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
