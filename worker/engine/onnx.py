"""The ONNX Runtime engine: int8 with ranges of each text's own, on any CPU. No torch in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort

from worker.engine.base import Engine, Inputs, Rest, begin_by_windows
from worker.engine.export import ONNX, exported
from worker.engine.outputs import refuse_own
from worker.engine.source import Source
from worker.engine.tokens import INPUTS, Tokens, read_config, width_of
from worker.engine.windows import as_read, batches
from worker.errors import EngineFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.settings import WorkerSettings


# A token budget that holds one window. Activations are quantized by the range of the whole batch, so that in company a text
# would get other scores than alone.
ONE_BY_ONE = partial(batches, budget=1)
# Texts that are tokenized at once, while those before are computed.
PIECE = 8


class OnnxEngine(Engine):
    """Holds one session."""

    name, device = "onnx-int8", "cpu"

    def __init__(self, source: Source, settings: WorkerSettings, threads: int) -> None:
        config = read_config(source.folder)
        self.outputs = refuse_own(config, source.name)
        folder = exported(source, settings.home, ONNX)
        self._tokens = Tokens(folder / "tokenizer.json", config)
        self._width, self.window = width_of(config), self._tokens.window
        self.model, self.revision = source.name, as_read(source.revision, self.window)
        self._session = ort.InferenceSession(str(folder / "model.onnx"), _options(threads), ["CPUExecutionProvider"])

    def begin(self, texts: Sequence[str]) -> Rest:
        """See Engine.begin."""
        return begin_by_windows(texts, self._tokens, self._forward, self._width, ONE_BY_ONE, PIECE)

    def _forward(self, batches: Iterable[Inputs]) -> Iterator[NDArray[np.float32]]:
        try:
            for inputs in batches:
                yield np.asarray(self._session.run(["sums"], dict(zip(INPUTS, inputs, strict=True)))[0])
        except Exception as error:  # its errors have no common base but this one
            if not type(error).__module__.startswith("onnxruntime"):
                raise  # a time limit, for one
            raise EngineFailed(f"the model could not compute ({type(error).__name__})") from error


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # Every batch has its own shape; remembering a plan for each would only grow.
    options.enable_mem_pattern = False
    # Waiting threads sleep: API, database and broker share the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
