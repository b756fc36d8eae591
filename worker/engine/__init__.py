"""Loading the encoder that the settings ask for. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import logging

from worker.engine.base import Encoded, Engine
from worker.engine.cpu import cores, int8_is_fast
from worker.engine.outputs import outputs_of
from worker.engine.source import Source, find_source
from worker.errors import ModelUnavailable
from worker.settings import WorkerSettings

__all__ = ["Encoded", "Engine", "load_engine", "threads_of"]
log = logging.getLogger(__name__)

WARM_UP = "A short text and a long one: the first call of an engine is slower than all others. " * 8


def threads_of(settings: WorkerSettings) -> int:
    """Threads that one child computes with: its share of the cores that this process may use."""
    return settings.threads or max(1, cores() // settings.concurrency)


def load_engine(settings: WorkerSettings) -> Engine:
    """The engine, loaded and warmed. ModelUnavailable when there is none to be had, whatever the reason."""
    if settings.engine == "fake":
        from worker.engine.fake import FakeEngine

        return FakeEngine(settings.fake_ms, settings.fake_chunk_ms, faults=settings.fake_faults)
    source = find_source(settings)
    *faster, last = _candidates(settings, source)
    for name in faster:
        try:
            return _warmed(name, source, settings)
        except ModelUnavailable as error:
            log.warning("the engine %s can't be used, so a slower one is: %s", name, error)
    return _warmed(last, source, settings)


def _candidates(settings: WorkerSettings, source: Source) -> tuple[str, ...]:
    """Engines in the order in which they are tried, the fastest first (docs/adr/0011-engines.md)."""
    from worker.engine.tokens import read_config

    if settings.engine != "auto":
        return (settings.engine,)
    # What a checkpoint gives of itself is not quantized: its outputs are fine-tuned to the exact numbers.
    if settings.device == "cuda" or outputs_of(read_config(source.folder)):
        return ("torch",)
    return ("openvino", "onnx", "torch") if int8_is_fast() else ("onnx", "torch")


def _warmed(name: str, source: Source, settings: WorkerSettings) -> Engine:
    try:
        engine = _make(name, source, settings)
        engine.encode([WARM_UP, WARM_UP[:80]])
    except ModelUnavailable:
        raise
    except Exception as error:
        # Libraries raise what they like at a broken file or a full memory; a worker must still start.
        raise ModelUnavailable(f"the engine can't be loaded ({type(error).__name__})") from error
    return engine


def _make(name: str, source: Source, settings: WorkerSettings) -> Engine:
    threads = threads_of(settings)
    if name == "openvino":
        from worker.engine.openvino import OpenVinoEngine

        return OpenVinoEngine(source, settings, threads)
    if name == "onnx":
        from worker.engine.onnx import OnnxEngine

        return OnnxEngine(source, settings, threads)
    from worker.engine.torch import TorchEngine

    return TorchEngine(source, settings, threads)
