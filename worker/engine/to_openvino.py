"""Makes a static int8 OpenVINO file of an encoder: `python -m worker.engine.to_openvino FOLDER OUT`.

Matrix products run on int8 with ranges that are learned once, from texts written for this project; so a text's numbers
depend on nothing but the text. Softmax, norms and sums stay fp32.
"""

from __future__ import annotations

import json
import logging
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from worker.engine import quiet
from worker.engine.tokens import INPUTS, LONGEST_WINDOW, Tokens, read_config, save_tokenizer
from worker.engine.torch import example, pooled_of
from worker.engine.windows import cut, padded

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEXTS = 48
LENGTHS = (20, 450)  # words: from a paragraph to more than a window holds
# How much of the activations' spread the weights take over (SmoothQuant). NNCF's 0.95 and 0.5 put the vectors off half as
# much again.
SMOOTH = 0.7
LARGE = 1_000_000  # numbers in a table that is worth narrowing
SENTENCES = Path(__file__).parent / "calibration.json"


def export(folder: Path, out: Path) -> None:
    """Writes tokenizer.json, model.xml and model.bin of the model in a folder."""
    ov = quiet.openvino()
    save_tokenizer(folder, out)
    arguments, shapes = example()
    with torch.inference_mode():
        traced = torch.export.export(pooled_of(folder), arguments, dynamic_shapes=shapes, strict=False)
    model = ov.convert_model(traced)
    for port, name in zip(model.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
    narrow_tables(model)
    ov.save_model(_quantized(model, _examples(folder, out)), out / "model.xml", compress_to_fp16=False)


def narrow_tables(model: Any) -> None:
    """Makes each table of embeddings one of int8 with a scale a row, widened after the look-up.

    A table that nncf quantizes is widened whole when the model is loaded: four bytes a number instead of one.
    """
    op = quiet.openvino().opset13
    for node in model.get_ops():
        if node.get_type_name() != "Gather" or node.input_value(0).get_node().get_type_name() != "Constant":
            continue
        table = node.input_value(0).get_node().data
        if (
            table.dtype != np.float32
            or table.ndim != 2
            or table.size < LARGE
            or node.input_value(2).get_node().data.item()
        ):
            continue
        scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-9) / 127
        ids = node.input_value(1)
        rows = op.gather(op.constant(np.rint(table / scales).astype(np.int8)), ids, 0)
        wide = op.multiply(op.convert(rows, np.float32), op.gather(op.constant(scales.astype(np.float32)), ids, 0))
        node.output(0).replace(wide.output(0))


def _quantized(model: Any, examples: list[dict[str, NDArray[Any]]]) -> Any:
    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf.quantize(
        model, nncf.Dataset(examples), model_type=nncf.ModelType.TRANSFORMER, preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(examples),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=SMOOTH),
            disable_bias_correction=True,  # it changed no vector (docs/adr/0011-engines.md)
            overflow_fix=nncf.OverflowFix.DISABLE,  # CPUs whose sums would overflow are refused
        ),
    )  # fmt: skip


def _examples(folder: Path, out: Path) -> list[dict[str, NDArray[Any]]]:
    """The beginning of each calibration text, as much as the model can read."""
    tokens = Tokens(out / "tokenizer.json", read_config(folder), LONGEST_WINDOW)
    windows = [cut(0, ids[: tokens.room], tokens.room, tokens.overlap) for ids in tokens.ids(texts())]
    return [dict(zip(INPUTS, padded(w, tokens.prefix, tokens.suffix, tokens.pad), strict=True)) for w in windows]


def texts() -> list[str]:
    """Texts of all lengths, of sentences in an order drawn by chance; every fourth without capitals."""
    sentences = json.loads(SENTENCES.read_text(encoding="utf-8"))["sentences"]
    draw, made = random.Random(0), []  # noqa: S311 - texts are no secret
    for n in range(TEXTS):
        words = draw.randint(*LENGTHS)
        text = " ".join(" ".join(draw.sample(sentences, len(sentences))).split()[:words])
        made.append(text.lower() if n % 4 == 3 else text)
    return made


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
