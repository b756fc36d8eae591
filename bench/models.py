"""Models for measuring speed: the one that comes along, and a random one of the size of distilbert-base."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from worker.engine.source import embedded

# Each is one token of the vocabulary of BERT, which both models use.
WORDS = (
    "the school a phone town library people because time book every child work house year small water good day light"
)


def distilbert_size(folder: Path) -> Path:
    """66 million random parameters, the same at every call. Nothing is zero or one, which exporters would leave out."""
    if (folder / "model.safetensors").exists():
        return folder
    import torch
    from transformers import DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    model = DistilBertModel(DistilBertConfig())
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() == 1:
                weights.add_(0.02 * torch.randn_like(weights))
    model.save_pretrained(folder)
    shutil.copyfile(embedded().folder / "tokenizer.json", folder / "tokenizer.json")
    return folder


def text_of(tokens: int, seed: int) -> str:
    """A text that is so many tokens long, the two special ones of BERT included."""
    return " ".join(random.Random(seed).choices(WORDS.split(), k=tokens - 2))


def operations(tokens: int, layers: int, hidden: int, inner: int) -> float:
    """Multiplications and additions of an encoder's matrix products for one text of n tokens.

    A layer has four products with h x h weights, two with h x f weights, and two of queries or weights with all tokens:
    layers * (2n(4h^2 + 2hf) + 4n^2 h). Embeddings, norms, softmax and GELU are not counted.
    """
    return layers * (2 * tokens * (4 * hidden**2 + 2 * hidden * inner) + 4 * tokens**2 * hidden)
