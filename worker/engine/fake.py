"""An engine without a model, for tests and for measuring everything around the engine. Its scores mean nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from worker.engine.base import Encoded, Engine, Rest
from worker.engine.outputs import Outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a text may ask for, where it is allowed to.
KILLED, STARVED = "[fault: killed]", "[fault: starved]"
STUCK, OBSTINATE = "[fault: stuck]", "[fault: obstinate]"
QUOTED, UNKNOWN = "[fault: quoted]", "[fault: unknown]"
STUCK_S = 600.0
# It takes the next texts so long before it is done: other engines do while they compute their last windows.
TAIL_S = 0.02


class FakeEngine(Engine):
    """Vectors by a hash of the text, after a set time a text or a call."""

    name, device, model, revision, window = "fake", "cpu", "fake", "0", 512
    outputs = Outputs()

    def __init__(self, ms_a_text: float = 0.0, ms_a_call: float = 0.0, width: int = 1152, faults: bool = False) -> None:
        self.ms_a_text, self.ms_a_call, self.width, self.faults = ms_a_text, ms_a_call, width, faults
        self._due = 0.0  # when it is done with all that it has taken
        # Sums of four of these, chosen by a hash: to draw each vector anew would take longer than to write it.
        self._drawn = np.random.default_rng(0).normal(0, 0.025, (4, 256, width)).astype(np.float32)

    def begin(self, texts: Sequence[str]) -> Rest:
        """The same text always has the same vector; two texts hardly ever share one. It takes other texts a little before
        it is done with these, and computes one call after another."""
        began = time.perf_counter()
        if self.faults:
            _fail(" ".join(texts))
        # The hashing is part of the service time: a device computes so long, and this stands for it.
        due = self._due = max(began, self._due) + (len(texts) * self.ms_a_text + self.ms_a_call) / 1000
        vectors = self._vectors(texts)
        lengths = np.array([len(text.split()) for text in texts], np.int64)
        _sleep_until(due - TAIL_S)

        def rest() -> Encoded:
            _sleep_until(due)
            spent = (time.perf_counter() - began) * 1000
            return Encoded(vectors, lengths, np.maximum(1, -(-lengths // self.window)), 0.0, spent)

        return rest

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4] for text in texts]
        chosen = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 4)
        vectors = np.zeros((len(texts), self.width), np.float32)
        for place, drawn in enumerate(self._drawn):
            vectors += drawn[chosen[:, place]]
        return vectors


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def _fail(text: str) -> None:
    if KILLED in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if STARVED in text:
        raise MemoryError
    if QUOTED in text:  # as libraries do
        raise ValueError(f"can't read {text!r}")
    if UNKNOWN in text:  # nobody expects it
        raise KeyError(text)
    if STUCK in text:
        time.sleep(STUCK_S)
    while OBSTINATE in text:  # as code that never returns to Python
        with contextlib.suppress(BaseException):
            time.sleep(STUCK_S)
