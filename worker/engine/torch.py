"""The PyTorch engine: any encoder, on CPU or CUDA, in fp32, bf16 or fp16."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
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
# Tokens in one forward pass. A CPU's would leave a GPU idle; more than this makes a GPU no faster, and pads more.
TOKEN_BUDGET, CUDA_TOKEN_BUDGET = 4096, 16_384
# Of the device's memory, for the allocators of all children together: each has a context beside its share.
CUDA_SHARE = 0.9


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


def is_causal(model: nn.Module) -> bool:
    """Whether no token looks at those behind it: then none sees the padding, and attention without a mask is faster."""
    said = [bool(module.is_causal) for module in model.modules() if hasattr(module, "is_causal")]
    return bool(said) and all(said)


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
            raise ModelUnavailable(
                f"GRADELINE_DEVICE is cuda, but torch {torch.__version__} sees no CUDA device: does `nvidia-smi` list one, "
                "and is this torch built for CUDA? GRADELINE_DEVICE=cpu grades without"
            )
        config = read_config(source.folder)
        precision = settings.precision if settings.precision != "auto" else ("bf16" if cuda else "fp32")
        if precision == "bf16" and not cuda and not bf16_is_fast():
            log.warning("this CPU emulates bf16, which is slower than fp32: GRADELINE_PRECISION=fp32 is faster here")
        self.device = "cuda:0" if cuda else "cpu"
        self.name, self.model = f"torch-{precision}", source.name
        self._budget = settings.token_budget or (CUDA_TOKEN_BUDGET if cuda else TOKEN_BUDGET)
        if cuda:
            torch.cuda.set_per_process_memory_fraction(CUDA_SHARE / settings.concurrency)
            # cuDNN's attention is compiled anew, for tens of milliseconds, whenever a batch has a shape that it has not seen.
            torch.backends.cuda.enable_cudnn_sdp(False)
        self.outputs = outputs_of(config)
        self._width = width_of(config) + len(self.outputs)
        with TemporaryDirectory() as made:
            save_tokenizer(source.folder, Path(made))
            self.tokens = Tokens(Path(made) / "tokenizer.json", config)
        self.window = self.tokens.window
        self.revision = as_read(source.revision, self.window)
        model: Any = load_model(source.folder, PRECISIONS[precision], bool(self.outputs))
        if self.outputs:
            # Causal classifiers read at the last token that is no padding, and must know it by its id.
            model.config.pad_token_id = self.tokens.pad
        self._causal = is_causal(model)
        self._pooled = Pooled(model, layers_of(config), self.outputs).to(self.device).eval()

    def begin(self, texts: Sequence[str]) -> Rest:
        """See Engine.begin."""
        return begin_by_windows(texts, self.tokens, self.forward, self._width, self.group)

    def group(self, sizes: Sequence[int]) -> list[list[int]]:
        """Windows that are computed at once: see Grouping."""
        return batches(sizes, self._budget)

    def forward(self, batches: Iterable[Inputs]) -> Iterator[NDArray[np.float32]]:
        """One batch behind: on a GPU, the next one is prepared and sent before the last one's result is waited for."""
        last = None
        try:
            for inputs in batches:
                begun = self._begun(inputs)
                if last is not None:
                    yield last()
                last = begun
            if last is not None:
                yield last()
        except RuntimeError as error:  # out of memory too
            raise EngineFailed(f"the model could not compute ({type(error).__name__})") from error

    def _begun(self, inputs: Inputs) -> Callable[[], NDArray[np.float32]]:
        """Computes a batch, or has it computed by the GPU: the call returned waits for its sums."""
        with torch.inference_mode():
            sums = self._sums(inputs)
            if self.device == "cpu":
                return sums.numpy
            # Copied as soon as they are there: a copy that is asked for later would wait for the next batch, too.
            here = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True).copy_(sums, non_blocking=True)
        there = torch.cuda.Event(blocking=True)  # whoever waits leaves its core to other children
        there.record()

        def ended() -> NDArray[np.float32]:
            there.synchronize()
            return here.numpy()

        return ended

    def _sums(self, inputs: Inputs) -> torch.Tensor:
        """A batch that the device has no memory for is computed in halves, and the next ones are smaller."""
        ids, mask, pool = inputs
        size, unmasked = len(ids), self._causal or bool(mask.all())
        try:
            return torch.as_tensor(
                self._pooled(self._move(ids), None if unmasked else self._move(mask), self._move(pool))
            )
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        self._budget = max(self.window, ids.size // 2)
        log.warning(
            "%d windows are too many for the memory of %s: in two halves, and fewer from now on", size, self.device
        )
        if self.device != "cpu":
            torch.cuda.empty_cache()
        parts = (slice(size // 2), slice(size // 2, size))
        return torch.cat([self._sums((ids[part], mask[part], pool[part])) for part in parts])

    def _move(self, values: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        # Pinned memory lets the copy run beside the computing.
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device != "cpu" else tensor
