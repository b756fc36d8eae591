"""The models that are measured: the one that comes along, and random ones of known sizes, made on disk once.

Random weights cost what trained ones do; what they answer means nothing. All read by the tokenizer that comes along,
whose ids fit into each of their vocabularies.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.engine.published import minilm_folder
from worker.engine.source import embedded
from worker.engine.windows import WINDOW, cut, overlap_of

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).parent / "results" / "kept"
SPECIAL = 2  # tokens around each window
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


@dataclass(frozen=True)
class Size:
    """What an encoder of this size costs: `layers` of `width` with an inner width of `inner`."""

    layers: int
    width: int
    inner: int

    def flop(self, tokens: int) -> float:
        """Floating point operations for one text: projections, feed-forward, and both products of attention."""
        each = 2 * (4 * self.width**2 + 2 * self.width * self.inner) + 4 * tokens * self.width
        return float(self.layers * tokens * each)


SIZES = {
    "minilm": Size(6, 384, 1536),
    "distilbert": Size(6, 768, 3072),
    "deberta": Size(12, 768, 3072),  # less its products with positions, which the formula leaves out
    "dialogpt": Size(24, 1024, 4096),
}


def flop_of(name: str, lengths: Sequence[int]) -> float:
    """Operations for texts of these lengths, in tokens of their own, in the windows in which they are read."""
    windows = (window for tokens in lengths for window in cut(0, range(tokens), WINDOW - SPECIAL, overlap_of(WINDOW)))
    return sum(SIZES[name].flop(window.size + SPECIAL) for window in windows)


def folder_of(name: str, kept: Path | None = None) -> Path:
    """Where a model is on disk; a random one is made at its first use, the same one every time."""
    if name == "minilm":
        return embedded().folder
    folder = (kept or kept_folder()) / f"random-{name}"
    if not (folder / "made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        build(folder, name)
        (folder / "made").touch()
    return folder


def build(folder: Path, name: str, **sizes: int) -> None:
    """A random encoder of a named size, or of other sizes, with a tokenizer that reads English."""
    import torch
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    AutoModel.from_config(_config(name, sizes)).save_pretrained(folder)
    for file in TOKENIZER:
        if (minilm_folder() / file).exists():
            shutil.copy(minilm_folder() / file, folder / file)


def _config(name: str, sizes: dict[str, Any]) -> Any:
    import transformers

    if name == "distilbert":
        return transformers.DistilBertConfig(**sizes)
    if name == "deberta":
        position: dict[str, Any] = {
            "relative_attention": True, "position_buckets": 256, "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
            "share_att_key": True, "position_biased_input": False, "max_relative_positions": -1,
        }  # fmt: skip
        return transformers.DebertaV2Config(
            **{"vocab_size": 128_100, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
               "intermediate_size": 3072, "type_vocab_size": 0, **position, **sizes}
        )  # fmt: skip
    return transformers.GPT2Config(**{"n_embd": 1024, "n_layer": 24, "n_head": 16, **sizes})


def kept_folder() -> Path:
    """Where models, their exports and heads stay between runs: another folder whenever the code of engines or heads changes."""
    code = hashlib.sha256()
    for file in sorted(f for part in ("engine", "features", "head") for f in (ROOT / "worker" / part).glob("*.py")):
        code.update(file.read_bytes())
    folder = KEPT / code.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder
