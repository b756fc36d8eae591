"""The PyTorch engine: any encoder, on CPU or CUDA, in fp32, bf16 or fp16."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from worker.engine.base import Engine, Inputs, Rest, begin_by_windows
from worker.engine.cpu import bf16_is_fast
from worker.engine.outputs import Outputs, outputs_of
from worker.engine.source import Source
from worker.engine.tokens import INPUTS, Tokens, layers_of, read_config, save_tokenizer, width_of
from worker.engine.windows import as_read, batches
from worker.errors import EngineFailed, ModelUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# A GPU has room for many texts at once; the CPU's budget would leave it idle.
CUDA_TOKEN_BUDGET = 65_536


class Pooled(nn.Module):
    """An encoder that gives, for each window, the sum of chosen hidden states over its pooled tokens.

    Of a checkpoint with outputs of its own, these come first, each times the number of pooled tokens: so a long text's
    are the mean over its windows, weighted by what each window has read of it.
    """

    def __init__(self, model: nn.Module, layers: Sequence[int], outputs: Outputs | None = None) -> None:
        super().__init__()
        self.model, self.layers, self.outputs = model, tuple(layers), outputs or Outputs()

    def forward(self, input_ids: Any, attention_mask: Any, pool_mask: Any) -> Any:
        """(b, length) three times -> (b, outputs + layers x hidden), float32."""
        output = self.model(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        weights = pool_mask.unsqueeze(-1)
        sums = [(output.hidden_states[k].float() * weights).sum(1) for k in self.layers]
        if self.outputs:
            given = output.logits.float()
            given = given.sigmoid() if self.outputs.probabilities else given
            sums.insert(0, given * pool_mask.sum(1, keepdim=True))
        return torch.cat(sums, dim=-1)


def load_model(folder: Path, dtype: torch.dtype, outputs: bool = False) -> nn.Module:
    """A model's bare encoder from its folder, or with its own outputs; code that came with it is never run.

    ModelUnavailable if it can't be loaded, or if weights of the wanted outputs are missing.
    """
    from transformers import AutoModel, AutoModelForSequenceClassification
    from transformers.utils import logging as noise

    noise.disable_progress_bar()
    noise.set_verbosity_error()
    kind = AutoModelForSequenceClassification if outputs else AutoModel
    try:
        model, about = kind.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelUnavailable(
            f"the model in {folder.name} can't be loaded: {str(error).splitlines()[0][:300]}"
        ) from error
    # transformers would fill them with random numbers. A bare encoder may lack its pooler, which nothing reads.
    if outputs and about["missing_keys"]:
        raise ModelUnavailable(f"the weights in {folder.name} lack {', '.join(sorted(about['missing_keys']))[:300]}")
    # Causal models keep keys and values for a next token, which never comes.
    model.config.use_cache = False
    loaded: nn.Module = model.eval()
    return loaded


def pooled_of(folder: Path) -> Pooled:
    """The bare encoder of a folder in fp32, as it is exported."""
    return Pooled(load_model(folder, torch.float32), layers_of(read_config(folder))).eval()


def example() -> tuple[tuple[torch.Tensor, ...], dict[str, dict[int, Any]]]:
    """Inputs for tracing a Pooled, and which of their sizes vary."""
    ids = torch.ones(2, 16, dtype=torch.int64)
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    return (ids, torch.ones_like(ids), torch.ones(2, 16)), dict.fromkeys(INPUTS, sizes)


class TorchEngine(Engine):
    """Holds the model on its device."""

    def __init__(self, source: Source, settings: WorkerSettings, threads: int) -> None:
        torch.set_num_threads(threads)
        cuda = settings.device == "cuda"
        if cuda and not torch.cuda.is_available():
            raise ModelUnavailable("GRADELINE_DEVICE is cuda, but torch sees no CUDA device")
        config = read_config(source.folder)
        precision = settings.precision if settings.precision != "auto" else ("bf16" if cuda else "fp32")
        if precision == "bf16" and not cuda and not bf16_is_fast():
            log.warning("this CPU emulates bf16, which is slower than fp32: GRADELINE_PRECISION=fp32 is faster here")
        self.device = "cuda:0" if cuda else "cpu"
        self.name, self.model = f"torch-{precision}", source.name
        budget = max(settings.token_budget, CUDA_TOKEN_BUDGET) if cuda else settings.token_budget
        self._group = partial(batches, budget=budget)
        self.outputs = outputs_of(config)
        self._width = width_of(config) + len(self.outputs)
        with TemporaryDirectory() as made:
            save_tokenizer(source.folder, Path(made))
            self._tokens = Tokens(Path(made) / "tokenizer.json", config)
        self.window = self._tokens.window
        self.revision = as_read(source.revision, self.window)
        model: Any = load_model(source.folder, PRECISIONS[precision], bool(self.outputs))
        if self.outputs:
            # Causal classifiers read at the last token that is no padding, and must know it by its id.
            model.config.pad_token_id = self._tokens.pad
        self._pooled = Pooled(model, layers_of(config), self.outputs).to(self.device).eval()

    def begin(self, texts: Sequence[str]) -> Rest:
        """See Engine.begin."""
        return begin_by_windows(texts, self._tokens, self._forward, self._width, self._group)

    def _forward(self, batches: Iterable[Inputs]) -> Iterator[NDArray[np.float32]]:
        """One batch behind: on a GPU, the next one is prepared and sent before the last one's result is waited for."""
        last = None
        try:
            for inputs in batches:
                sums = self._sums(inputs)
                if last is not None:
                    yield last.cpu().numpy()
                last = sums
            if last is not None:
                yield last.cpu().numpy()
        except RuntimeError as error:  # out of memory too
            raise EngineFailed(f"the model could not compute ({type(error).__name__})") from error

    def _sums(self, inputs: Inputs) -> torch.Tensor:
        with torch.inference_mode():
            sums: torch.Tensor = self._pooled(*(self._move(each) for each in inputs))
            return sums

    def _move(self, values: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        # Pinned memory lets the copy run beside the computing.
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device != "cpu" else tensor
