"""Names of queues: `<model>.<device>.<lane>`."""

from __future__ import annotations

import re

from broker.settings import BrokerSettings

DEVICES = ("any", "cpu", "gpu")
# Regrades read what was kept: they come before bulk work because they take a thousandth of its time.
LANES = ("interactive", "regrade", "bulk")


def slug(model: str) -> str:
    """A model's name in the letters that every broker takes; two models that differ keep different names."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda m: "." if m.group() == "/" else f"={ord(m.group()):x}", model).lower()


def queue_name(model: str, device: str, lane: str) -> str:
    """The queue for jobs of a model that ask for a device in a lane."""
    return f"{slug(model)}.{device}.{lane}"


def consumed_by(model: str, device: str) -> list[str]:
    """The queues of a worker (device cpu or gpu), those to be emptied first in front."""
    return [queue_name(model, d, lane) for lane in LANES for d in (device, "any")]


def chunk_size(queue: str, job_ms: float | None, settings: BrokerSettings) -> int:
    """The most jobs that one message of a queue may carry: so many as take the lane's time, at the pace that was seen.

    An interactive job waits for the chunk that runs and no longer, so it's the time of a chunk that is limited; how many
    jobs that is differs a thousandfold between engines. `job_ms` is None before any was seen.
    """
    if job_ms is None:
        return min(settings.chunk_first, settings.chunk_most)
    seconds = settings.chunk_interactive_s if queue.endswith(".interactive") else settings.chunk_bulk_s
    return max(1, min(settings.chunk_most, int(1000 * seconds / max(job_ms, 1e-3))))
