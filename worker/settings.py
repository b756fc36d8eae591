"""What a worker can be told from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from broker.settings import BrokerSettings


class WorkerSettings(BrokerSettings):
    """Everything the broker layer reads, and how this worker computes."""

    model_revision: str = Field("", description="the hub commit of `model`; empty: its newest")
    model_min: float = Field(0.0, description="lowest score that a checkpoint with outputs of its own was trained on")
    model_max: float = Field(1.0, description="highest score that a checkpoint with outputs of its own was trained on")
    engine: Literal["auto", "openvino", "onnx", "torch", "fake"] = Field(
        "auto",
        description="what computes; auto: on a CPU int8 by openvino, or by onnx where the CPU has no VNNI; on a GPU torch",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="cuda: a GPU, by torch; auto: the CPU")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="torch's; auto: fp32 on a CPU, bf16 on a GPU"
    )
    children: int = Field(
        0, ge=0, le=64, description="processes that each hold the model; 0: 1 on a CPU, by cores on a GPU"
    )
    threads: int = Field(0, ge=0, le=256, description="threads a child computes with; 0: the cores divided by children")
    nice: int = Field(
        5, ge=0, le=19, description="how far a worker's computing stands back behind other processes of the machine"
    )
    token_budget: int = Field(
        0,
        ge=0,
        le=1_048_576,
        description="most tokens in one forward pass of torch; 0: 4,096 on a CPU, 16,384 on a GPU",
    )
    reuse: bool = Field(
        True, description="a text that a rubric has scored before gets the same result again, without a forward pass"
    )
    heads_mb: int = Field(128, ge=0, description="MiB of the calibrations' heads that a child keeps in memory")
    engine_retry_s: float = Field(
        30.0,
        gt=0,
        description="seconds after which an engine that failed is loaded again; it doubles up to 16 times that",
    )
    child_memory_mb: int = Field(
        4096, ge=0, description="memory of a child at its highest, after which it ends with its chunk; 0: any"
    )
    deaf_s: float = Field(
        60.0,
        ge=0,
        description="seconds an idle worker may take none of the messages that wait; then it ends; 0: for ever",
    )
    home: Path = Field(Path(".gradeline"), description="where exported models are cached and own heads kept")
    file_seconds: float = Field(20.0, gt=0, le=30, description="longest time that reading one file may take")
    file_memory_mb: int = Field(1024, ge=128, description="most memory, in MiB, that reading one file may take")
    file_pages: int = Field(300, ge=1, description="most pages of a PDF")
    fake_ms: float = Field(0.0, ge=0, description="service time of a text on the fake engine")
    fake_chunk_ms: float = Field(0.0, ge=0, description="service time of a call of the fake engine, however many texts")
    fake_faults: bool = Field(False, description="whether texts can make the fake engine fail: for tests")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port on which this worker answers GET /metrics, without a key; 0: none"
    )
    metrics_host: str = Field("127.0.0.1", description="address of that port; 0.0.0.0: every one of this machine")

    @property
    def lane_device(self) -> str:
        """The device word of this worker's queues: cpu or gpu."""
        return "gpu" if self.device == "cuda" else "cpu"

    @property
    def concurrency(self) -> int:
        """Children of this worker. On a GPU a child for every two cores, 2 to 8: words, scores and rows of an essay take
        longer than its forward pass (docs/performance.md)."""
        if self.children or self.device != "cuda":
            return self.children or 1
        from worker.engine.cpu import cores

        return min(8, max(2, cores() // 2))
