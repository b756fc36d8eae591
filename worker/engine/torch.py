"""The PyTorch engine: any encoder, on CPU or CUDA, in fp32, bf16 or fp16."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from worker.engine.base import Encoded, encode_by_windows
from worker.engine.export import save_tokenizer
from worker.engine.source import Source
from worker.engine.tokens import Tokens, layers_of, read_config, width_of
from worker.errors import EngineFailed, ModelUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.settings import WorkerSettings

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# A GPU has room for many texts at once; the CPU's budget would leave it idle.
CUDA_TOKEN_BUDGET = 65_536


class Pooled(nn.Module):
    """An encoder that gives, for each window, the sum of chosen hidden states over its pooled tokens."""

    def __init__(self, model: nn.Module, layers: Sequence[int]) -> None:
        super().__init__()
        self.model, self.layers = model, tuple(layers)

    def forward(self, input_ids: Any, attention_mask: Any, pool_mask: Any) -> Any:
        """(b, length) three times -> (b, layers x hidden), float32."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        weights = pool_mask.unsqueeze(-1)
        return torch.cat([(output.hidden_states[k].float() * weights).sum(1) for k in self.layers], dim=-1)


def load_model(folder: Path, dtype: torch.dtype) -> nn.Module:
    """A model's bare encoder from its folder, never running code that came with it. ModelUnavailable if it can't be."""
    from transformers import AutoModel
    from transformers.utils import logging as noise

    noise.disable_progress_bar()
    noise.set_verbosity_error()
    try:
        model: nn.Module = AutoModel.from_pretrained(folder, dtype=dtype, trust_remote_code=False, use_safetensors=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable(
            f"the model in {folder.name} can't be loaded: {str(error).splitlines()[0][:300]}"
        ) from error
    return model.eval()


class TorchEngine:
    """Holds the model on its device. Not safe for two threads."""

    def __init__(self, source: Source, settings: WorkerSettings, threads: int) -> None:
        torch.set_num_threads(threads)
        cuda = settings.device == "cuda"
        if cuda and not torch.cuda.is_available():
            raise ModelUnavailable("GRADELINE_DEVICE is cuda, but torch sees no CUDA device")
        config = read_config(source.folder)
        precision = settings.precision if settings.precision != "auto" else ("bf16" if cuda else "fp32")
        self.device = "cuda:0" if cuda else "cpu"
        self.name, self.model, self.revision = f"torch-{precision}", source.name, source.revision
        self._budget = max(settings.token_budget, CUDA_TOKEN_BUDGET) if cuda else settings.token_budget
        self._width = width_of(config)
        with TemporaryDirectory() as made:
            save_tokenizer(source.folder, Path(made))
            self._tokens = Tokens(Path(made) / "tokenizer.json", config, settings.window_overlap)
        self.window = self._tokens.window
        self._pooled = (
            Pooled(load_model(source.folder, PRECISIONS[precision]), layers_of(config)).to(self.device).eval()
        )

    def encode(self, texts: Sequence[str]) -> Encoded:
        """See Engine.encode."""
        return encode_by_windows(texts, self._tokens, self._forward, self._width, self._budget)

    def _forward(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64], pool: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        try:
            with torch.inference_mode():
                return np.asarray(self._pooled(*(self._move(each) for each in (ids, mask, pool))).cpu().numpy())
        except RuntimeError as error:  # out of memory too
            raise EngineFailed(f"the model could not compute ({type(error).__name__})") from error

    def _move(self, values: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        # Pinned memory lets the copy run beside the computing.
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device != "cpu" else tensor
