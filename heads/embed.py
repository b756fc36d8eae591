"""Vectors of the corpora, computed once and cached by text and model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

from worker.engine import Engine, load_engine
from worker.engine.cpu import int8_is_fast
from worker.engine.published import Published
from worker.engine.windows import WINDOW
from worker.features.text import Text
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 128


def reading(model: Published, cache: Path) -> WorkerSettings:
    """How the corpora are read: in int8, as by a worker on a CPU."""
    return WorkerSettings(engine="openvino" if int8_is_fast() else "onnx", model=model.name, home=cache)


def embed(texts: Sequence[str], cache: Path, settings: WorkerSettings) -> NDArray[np.float32]:
    """(n, layers x hidden). A run that is stopped goes on where it was: each chunk is a file of its own."""
    engine = None
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    for start in track(range(0, len(texts), CHUNK), description=f"embedding {len(texts)} texts"):
        chunk = [Text(text).once.text for text in texts[start : start + CHUNK]]
        name = f"{settings.own_model} {settings.model_revision} {WINDOW} {settings.engine} {settings.precision}"
        key = hashlib.sha256("\0".join([name.replace("/", "-"), *chunk]).encode()).hexdigest()[:24]
        file = cache / f"{key}.npy"
        if not file.exists():
            engine = engine or load_engine(settings)
            np.save(file, engine.encode(chunk).vectors.astype(np.float16))
        parts.append(np.load(file).astype(np.float32))
    return np.concatenate(parts)


def embed_own(texts: Sequence[str], cache: Path, engine: Engine, chunk: int = 8) -> NDArray[np.float32]:
    """(n, D) as a worker with this engine keeps them. A run that is stopped goes on where it was."""
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("embedding", total=len(texts))
        for start in range(0, len(texts), chunk):
            now = [Text(text).once.text for text in texts[start : start + chunk]]
            about = [engine.model, engine.revision, engine.name, *engine.outputs.labels]
            key = hashlib.sha256("\0".join([*about, *now]).encode("utf-8", "surrogatepass")).hexdigest()[:24]
            file = cache / f"{key}.npy"
            if not file.exists():
                aside = file.with_suffix(".new.npy")
                np.save(aside, engine.encode(now).vectors.astype(np.float16))
                aside.replace(file)
            parts.append(np.load(file).astype(np.float32))
            progress.advance(task, len(now))
    return np.concatenate(parts)
