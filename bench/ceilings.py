"""How many operations a second this machine reaches in plain matrix products: the ceiling of every engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear

from worker.engine import quiet

Run = Callable[[], Any]
SIZE = 1024  # of square matrices: larger ones and the models' own shapes are no faster
CHAIN = 6  # products after one another in OpenVINO, so that the first conversion to int8 hardly counts
SECONDS = 0.3


def ways(threads: int) -> dict[tuple[str, str], tuple[float, Run]]:
    """(precision, how it is measured) -> operations of one run, and the run. The best of a precision is its ceiling."""
    one = 2.0 * SIZE**3
    int8 = torch.randint(-99, 99, (SIZE, SIZE), dtype=torch.int8)
    return {
        ("fp32", "torch linear"): (one, _torch(linear, torch.randn(SIZE, SIZE), threads)),
        ("bf16", "torch linear"): (one, _torch(linear, torch.randn(SIZE, SIZE).bfloat16(), threads)),
        ("int8", "torch._int_mm"): (one, _torch(torch._int_mm, int8, threads)),
        ("int8", f"OpenVINO, {CHAIN} in a row, a stream a thread"): (one * CHAIN * threads, _chains(threads)),
    }


def rate(operations: float, run: Run) -> float:
    """1e9 operations a second."""
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < SECONDS:
        run()
        done += 1
    return operations * done / spent / 1e9


def _torch(product: Callable[..., Any], matrix: torch.Tensor, threads: int) -> Run:
    def run() -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            product(matrix, matrix)

    return run


def _chains(threads: int) -> Run:
    """Products with constant int8 matrices; what lies between them is int8 as well, as in a quantized model."""
    options = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads, "ENABLE_CPU_PINNING": False}
    compiled = quiet.openvino().Core().compile_model(_chain(), "CPU", options)
    requests = [compiled.create_infer_request() for _ in range(threads)]
    for request in requests:
        request.get_input_tensor().data[:] = np.random.default_rng(1).standard_normal((SIZE, SIZE))

    def run() -> None:
        for request in requests:
            request.start_async()
        for request in requests:
            request.wait()

    return run


def _chain() -> Any:
    ov = quiet.openvino()
    op = ov.opset13
    weights = np.random.default_rng(0).integers(-127, 128, (SIZE, SIZE)).astype(np.float32) / 4096
    flow = given = op.parameter([SIZE, SIZE], np.float32)
    for _ in range(CHAIN):
        constant = _quantized(op, op.constant(weights), -127 / 4096, 127 / 4096, 255)
        flow = op.matmul(_quantized(op, flow, -1.28, 1.27, 256), constant, False, True)
    return ov.Model([flow], [given], "chain")


def _quantized(op: Any, node: Any, low: float, high: float, levels: int) -> Any:
    ends = [np.float32(low), np.float32(high)]
    return op.fake_quantize(node, *ends, *ends, levels)
