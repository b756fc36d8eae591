"""Makes an int8 ONNX file of an encoder: `python -m worker.engine.to_onnx FOLDER OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from worker.engine.tokens import INPUTS, save_tokenizer
from worker.engine.torch import example, pooled_of

OPSET = 20


def export(folder: Path, out: Path) -> None:
    """Writes tokenizer.json and model.onnx of the model in a folder."""
    save_tokenizer(folder, out)
    arguments, shapes = example()
    with torch.inference_mode():
        torch.onnx.export(
            pooled_of(folder), arguments, str(out / "fp32.onnx"), dynamo=True, opset_version=OPSET,
            input_names=INPUTS, output_names=["sums"], dynamic_shapes=shapes, external_data=False, verbose=False,
        )  # fmt: skip
    _quantize(out / "fp32.onnx", out / "model.onnx")
    (out / "fp32.onnx").unlink()


def _quantize(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(source)
    # The exporter's shapes contradict what quantizing inserts; the runtime infers them again.
    del model.graph.value_info[:]
    onnx.save(model, source)
    quantize_dynamic(
        source, target, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"]
    )


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
