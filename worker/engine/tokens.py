"""Texts to token ids, by the `tokenizers` library: no transformers import, and a whole chunk in one call."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from worker.engine.outputs import outputs_of
from worker.engine.windows import WINDOW, overlap_of
from worker.errors import ModelUnavailable

# What a Pooled (torch.py) reads, in this order and by these names.
INPUTS = ("input_ids", "attention_mask", "pool_mask")
# Checkpoints that grade of themselves have learned to from whole texts, or what fits into this many tokens.
LONGEST_WINDOW = 512
# Position numbers that these families keep for padding.
RESERVED_POSITIONS = {"roberta": 2, "xlm-roberta": 2, "camembert": 2, "mpnet": 2, "longformer": 2}


class Tokens:
    """A model's tokenizer. `window` counts special tokens, at most `most`; `room` is what is left for a text's own."""

    def __init__(self, file: Path, config: dict[str, Any], most: int = WINDOW) -> None:
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.prefix, self.suffix = self._specials()
        self.pad = int(config.get("pad_token_id") or 0)
        self.window = window_of(config, most)
        self.room = self.window - len(self.prefix) - len(self.suffix)
        self.overlap = overlap_of(self.window)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, whole, without special tokens."""
        return [each.ids for each in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _specials(self) -> tuple[list[int], list[int]]:
        with_them = self._tokenizer.encode("a").ids
        without = self._tokenizer.encode("a", add_special_tokens=False).ids
        for start in range(len(with_them) - len(without) + 1):
            if with_them[start : start + len(without)] == without:
                return with_them[:start], with_them[start + len(without) :]
        return [], []


def window_of(config: dict[str, Any], most: int) -> int:
    """Tokens that a model reads at once, special ones included: `most`, if it can."""
    most = LONGEST_WINDOW if outputs_of(config) else most
    positions = config.get("max_position_embeddings") or config.get("n_positions") or most
    return min(most, int(positions) - RESERVED_POSITIONS.get(str(config.get("model_type")), 0))


def layers_of(config: dict[str, Any]) -> tuple[int, ...]:
    """Which hidden states are pooled: those after a third, two thirds and all of the layers (2, 4, 6 of six)."""
    count = int(config.get("num_hidden_layers") or config.get("n_layers") or config.get("n_layer") or 0)
    if count < 1:
        raise ModelUnavailable("the model's config.json does not say how many layers it has")
    return tuple(sorted({max(1, round(count * part / 3)) for part in (1, 2, 3)}))


def width_of(config: dict[str, Any]) -> int:
    """Length of a pooled vector: layers x hidden size."""
    hidden = config.get("hidden_size") or config.get("dim") or config.get("n_embd") or config.get("d_model")
    if not hidden:
        raise ModelUnavailable("the model's config.json does not say how wide its hidden states are")
    return len(layers_of(config)) * int(hidden)


def read_config(folder: Path) -> dict[str, Any]:
    """A model's config.json, or ModelUnavailable."""
    try:
        return dict(json.loads((folder / "config.json").read_text()))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{folder.name} has no readable config.json, so it is not a model's folder") from error


def save_tokenizer(folder: Path, out: Path) -> None:
    """tokenizer.json as it is, or made from the older files of a model that has none."""
    if (folder / "tokenizer.json").exists():
        (out / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        return
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(str(out / "tokenizer.json"))
