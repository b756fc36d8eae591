"""Loading the encoder that the settings ask for. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import logging
import os

from worker.engine.base import Encoded, Engine
from worker.engine.outputs import outputs_of
from worker.engine.source import find_source
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

__all__ = ["Encoded", "Engine", "load_engine", "threads_of"]
log = logging.getLogger(__name__)

WARM_UP = "A short text and a long one: the first call of an engine is slower than all others. " * 8


def threads_of(settings: WorkerSettings) -> int:
    """Threads that one child computes with: its share of the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or max(1, cores // settings.concurrency)


def load_engine(settings: WorkerSettings) -> Engine:
    """The engine, loaded and warmed. ModelUnavailable when there is none to be had, whatever the reason."""
    try:
        engine = _load(settings)
        engine.encode([WARM_UP, WARM_UP[:80]])
    except ModelUnavailable:
        raise
    except Exception as error:
        # Libraries raise what they like at a broken file or a full memory; a worker must still start.
        raise ModelUnavailable(f"the engine can't be loaded ({type(error).__name__})") from error
    return engine


def _load(settings: WorkerSettings) -> Engine:
    if settings.engine == "fake":
        from worker.engine.fake import FakeEngine

        return FakeEngine(settings.fake_ms, settings.fake_chunk_ms)
    from worker.engine.tokens import read_config

    source = find_source(settings)
    # int8 on a CPU unless something else is asked for: fastest there, and no torch in memory. What a checkpoint gives of
    # itself is not exported: its outputs are fine-tuned to the exact numbers.
    graded = settings.engine == "auto" and bool(outputs_of(read_config(source.folder)))
    if settings.engine == "onnx" or (settings.engine == "auto" and settings.device != "cuda" and not graded):
        from worker.engine.onnx import OnnxEngine

        try:
            return OnnxEngine(source, settings, threads_of(settings))
        except ModelUnavailable as error:
            if settings.engine == "onnx":
                raise
            log.warning("%s; torch runs it instead", error)
    from worker.engine.torch import TorchEngine

    return TorchEngine(source, settings, threads_of(settings))
