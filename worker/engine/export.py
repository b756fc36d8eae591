"""Makes an int8 ONNX file of an encoder, once a model: `python -m worker.engine.export FOLDER OUT`.

It runs in a process of its own, so that no worker child keeps torch in memory for it.
"""

from __future__ import annotations

import fcntl
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

from worker.engine.source import Source
from worker.engine.tokens import layers_of, read_config
from worker.errors import ModelUnavailable

log = logging.getLogger(__name__)

# Counts up when the graph changes, so that no cache of an older one is read.
GRAPH = 1
SECONDS = 900
OPSET = 20


def exported(source: Source, home: Path) -> Path:
    """The folder with model.onnx and tokenizer.json of a model, made now if need be. ModelUnavailable if it fails."""
    folder = home.resolve() / "models" / f"{source.key}-int8-{GRAPH}"
    if (folder / "model.onnx").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two children that start together export once
        if not (folder / "model.onnx").exists():
            _export_aside(source, folder)
    return folder


def _export_aside(source: Source, folder: Path) -> None:
    log.info("exporting %s to ONNX, once; this takes about half a minute", source.name)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as aside:
        command = [sys.executable, "-m", "worker.engine.export", str(source.folder), aside]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelUnavailable(f"{source.name} can't be exported to ONNX: {last[:300]}")
        (Path(aside) / "int8.onnx").rename(Path(aside) / "model.onnx")
        (Path(aside) / "fp32.onnx").unlink()
        folder.mkdir(exist_ok=True)
        for file in ("tokenizer.json", "model.onnx"):  # model.onnx last: where it is, all is
            (Path(aside) / file).replace(folder / file)


def export(folder: Path, out: Path) -> None:
    """Writes tokenizer.json, fp32.onnx and int8.onnx of the model in a folder."""
    import torch

    from worker.engine.torch import Pooled, load_model

    save_tokenizer(folder, out)
    layers = layers_of(read_config(folder))
    pooled = Pooled(load_model(folder, torch.float32), layers).eval()
    ids = torch.ones(2, 16, dtype=torch.int64)
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    names = ["input_ids", "attention_mask", "pool_mask"]
    with torch.inference_mode():
        torch.onnx.export(
            pooled, (ids, torch.ones_like(ids), torch.ones(2, 16)), str(out / "fp32.onnx"), dynamo=True, opset_version=OPSET,
            input_names=names, output_names=["sums"], dynamic_shapes=dict.fromkeys(names, sizes),
            external_data=False, verbose=False,
        )  # fmt: skip
    _quantize(out / "fp32.onnx", out / "int8.onnx")


def save_tokenizer(folder: Path, out: Path) -> None:
    """tokenizer.json as it is, or made from the older files of a model that has none."""
    if (folder / "tokenizer.json").exists():
        (out / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        return
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(folder).backend_tokenizer.save(str(out / "tokenizer.json"))


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
