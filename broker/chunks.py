"""What one message carries: how many jobs, which together, and for how long it may run."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.queues import lane_of
from broker.settings import BrokerSettings
from db.window import Taken

# A chunk is given up when it takes so many times as long as it should, and GRADELINE_CHUNK_LIMIT_S more.
PATIENCE = 20
# Seconds in which a chunk that is given up may hand its jobs back, before its child is killed.
HAND_BACK_S = 5.0


@dataclass
class Chunk:
    """Jobs that were lost equally often."""

    losses: int
    ids: list[uuid.UUID] = field(default_factory=list)


def chunk_size(queue: str, job_ms: float | None, settings: BrokerSettings) -> int:
    """The most jobs that one message of a queue may carry: so many as take the lane's time, at the pace that was seen.

    An interactive job waits for the chunk that runs and no longer, so it's the time of a chunk that is limited; how many
    jobs that is differs a thousandfold between engines. `job_ms` is None before any was seen.
    """
    if job_ms is None:
        return min(settings.chunk_first, settings.chunk_most)
    seconds = settings.chunk_interactive_s if lane_of(queue) == "interactive" else settings.chunk_bulk_s
    return max(1, min(settings.chunk_most, int(1000 * seconds / max(job_ms, 1e-3))))


def suspects(size: int, losses: int, max_attempts: int) -> int:
    """The most jobs a message, where all of them were lost so often and one may be the reason.

    The last attempt that a job has is alone (docs/adr/0014-what-is-lost.md): 256, 16, 1 with three attempts.
    """
    left = max(0, max_attempts - 1 - losses)
    return max(1, round(size ** (left / (max_attempts - 1)))) if max_attempts > 1 else size


def cut(taken: Sequence[Taken], size: int, most: int, max_attempts: int) -> list[Chunk]:
    """Chunks in the order of their first jobs: `size` jobs each; where jobs were lost, fewer, `most` being a full chunk."""
    chunks: list[Chunk] = []
    filling: dict[int, Chunk] = {}
    for job, losses in taken:
        chunk = filling.get(losses)
        if chunk is None or len(chunk.ids) >= min(size, suspects(most, losses, max_attempts)):
            chunk = filling[losses] = Chunk(losses)
            chunks.append(chunk)
        chunk.ids.append(job)
    return chunks


def time_limits(jobs: int, job_ms: float | None, settings: BrokerSettings) -> tuple[float, float]:
    """Seconds after which a chunk must hand its jobs back, and after which its child is killed."""
    longest = settings.time_limit_s - HAND_BACK_S
    expected_s = jobs * job_ms / 1000 if job_ms is not None else longest
    soft = min(longest, settings.chunk_limit_s + PATIENCE * expected_s)
    return soft, soft + HAND_BACK_S
