"""An engine without a model, for tests and for measuring everything around the engine. Its scores mean nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from worker.engine.base import Encoded
from worker.engine.outputs import Outputs

# What a text may ask for, where it is allowed to.
KILLED, STARVED = "[fault: killed]", "[fault: starved]"
STUCK, OBSTINATE = "[fault: stuck]", "[fault: obstinate]"
STUCK_S = 600.0


class FakeEngine:
    """Vectors by a hash of the text, after a set time a text or a call."""

    name, device, model, revision, window = "fake", "cpu", "fake", "0", 512
    outputs = Outputs()

    def __init__(self, ms_a_text: float = 0.0, ms_a_call: float = 0.0, width: int = 1152, faults: bool = False) -> None:
        self.ms_a_text, self.ms_a_call, self.width, self.faults = ms_a_text, ms_a_call, width, faults

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The same text always has the same vector; two texts hardly ever share one."""
        began = time.perf_counter()
        if self.faults:
            _fail(" ".join(texts))
        vectors = np.zeros((len(texts), self.width), np.float32)
        for n, text in enumerate(texts):
            seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            vectors[n] = np.random.default_rng(list(seed)).standard_normal(self.width) * 0.05
        # The hashing above is part of the service time: a device computes so long, and this stands for it.
        due = began + (len(texts) * self.ms_a_text + self.ms_a_call) / 1000
        time.sleep(max(0.0, due - time.perf_counter()))
        lengths = np.array([len(text.split()) for text in texts], np.int64)
        spent = (time.perf_counter() - began) * 1000
        return Encoded(vectors, lengths, np.maximum(1, -(-lengths // self.window)), 0.0, spent)


def _fail(text: str) -> None:
    if KILLED in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if STARVED in text:
        raise MemoryError
    if STUCK in text:
        time.sleep(STUCK_S)
    while OBSTINATE in text:  # as code that never returns to Python
        with contextlib.suppress(BaseException):
            time.sleep(STUCK_S)
