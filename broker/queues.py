"""Names of queues: `<model>.<device>.<lane>`."""

from __future__ import annotations

import re

DEVICES = ("any", "cpu", "gpu")
# Regrades read what was kept: they come before bulk work because they take a thousandth of its time.
LANES = ("interactive", "regrade", "bulk")


def slug(model: str) -> str:
    """A model's name in the letters that every broker takes; two models that differ keep different names."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda m: "." if m.group() == "/" else f"={ord(m.group()):x}", model).lower()


def queue_name(model: str, device: str, lane: str) -> str:
    """The queue for jobs of a model that ask for a device in a lane."""
    return f"{slug(model)}.{device}.{lane}"


def lane_of(queue: str) -> str:
    """The lane of a queue; of a name that is not ours, bulk."""
    lane = queue.rpartition(".")[2]
    return lane if lane in LANES else "bulk"


def consumed_by(model: str, device: str) -> list[str]:
    """The queues of a worker (device cpu or gpu), those to be emptied first in front."""
    return [queue_name(model, d, lane) for lane in LANES for d in (device, "any")]
