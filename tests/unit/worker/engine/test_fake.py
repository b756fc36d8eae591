"""The engine without a model: a device that takes so long, one call after another."""

from __future__ import annotations

import time

import numpy as np
import pytest

from worker.engine.fake import TAIL_S, FakeEngine


def test_a_text_has_its_own_vector_in_any_company():
    engine = FakeEngine()
    first, second = engine.encode(["one", "two"]).vectors
    assert np.array_equal(engine.encode(["two"]).vectors[0], second) and not np.array_equal(first, second)


def test_calls_that_begin_together_take_their_time_one_after_another(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.append(now.pop() + seconds))
    engine = FakeEngine(ms_a_text=50, ms_a_call=100)
    first = engine.begin(["one", "two"])
    assert now[0] == pytest.approx(100.2 - TAIL_S), "it takes other texts a little before it is done"
    second = engine.begin(["three"])
    assert now[0] == pytest.approx(100.35 - TAIL_S)
    assert (round(first().inference_ms), round(second().inference_ms)) == (330, 170)
    assert now[0] == pytest.approx(100.35)
