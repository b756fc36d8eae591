"""Tiny random models of each kind, made on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2Model,
)

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *(f"w{n}" for n in range(60))]
SIZE = len(WORDS)
BERT = {
    "vocab_size": SIZE, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 64,
}  # fmt: skip
DISTILBERT = {
    "vocab_size": SIZE, "dim": 32, "n_layers": 3, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 64,
}  # fmt: skip
GPT2 = {"vocab_size": SIZE, "n_embd": 32, "n_layer": 3, "n_head": 2, "n_positions": 64}
DEBERTA = {
    **BERT, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16, "share_att_key": True,
    "norm_rel_ebd": "layer_norm", "position_biased_input": False,
}  # fmt: skip
KINDS: dict[str, tuple[Any, Any, Any, dict[str, int]]] = {
    "bert": (BertModel, BertForSequenceClassification, BertConfig, BERT),
    "distilbert": (DistilBertModel, DistilBertForSequenceClassification, DistilBertConfig, DISTILBERT),
    "deberta": (DebertaV2Model, DebertaV2ForSequenceClassification, DebertaV2Config, DEBERTA),
    "gpt2": (GPT2Model, GPT2ForSequenceClassification, GPT2Config, GPT2),
}


def make(folder: Path, kind: str, labels: list[str] | None = None, **config: Any) -> Path:
    """An encoder, or with labels a checkpoint that has an output for each."""
    torch.manual_seed(0)
    bare, classifies, its_config, sizes = KINDS[kind]
    if labels is not None:
        config["id2label"] = dict(enumerate(labels))
        config["label2id"] = {label: n for n, label in enumerate(labels)}
    (bare if labels is None else classifies)(its_config(**sizes, **config)).save_pretrained(folder)
    tokenizer(kind != "gpt2").save(str(folder / "tokenizer.json"))
    return folder


def tokenizer(special: bool) -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    return made
