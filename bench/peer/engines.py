"""What a peer computes with: its default, transformers in fp32 with padding, or the engine of Gradeline's workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

# A few numbers a text, as a grader would answer: no peer pays for writing long vectors as JSON.
SCORES = 4
Read = Callable[[Sequence[str]], list[list[float]]]


def default_engine(folder: str) -> Read:
    """transformers and torch fp32, a batch padded to its longest text; the mean of the last hidden states."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    def read(texts: Sequence[str]) -> list[list[float]]:
        given = tokenizer(list(texts), padding=True, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**given).last_hidden_state
        mask = given["attention_mask"].unsqueeze(-1)
        means: list[list[float]] = ((hidden * mask).sum(1) / mask.sum(1))[:, :SCORES].tolist()
        return means

    return read


def own_engine() -> Read:
    """The engine that a worker with the settings of this environment would load."""
    from worker.engine import load_engine
    from worker.settings import WorkerSettings

    engine = load_engine(WorkerSettings())

    def read(texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = engine.encode(texts).vectors[:, :SCORES].tolist()
        return vectors

    return read
