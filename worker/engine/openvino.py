"""The OpenVINO engine: static int8 on CPUs that multiply bytes at full rate. No torch in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from worker.engine import quiet
from worker.engine.base import Engine, Inputs, Rest, begin_by_windows
from worker.engine.cpu import int8_is_fast
from worker.engine.export import OPENVINO, exported
from worker.engine.outputs import refuse_own
from worker.engine.source import Source
from worker.engine.tokens import INPUTS, Tokens, read_config, width_of
from worker.engine.windows import as_read, spread
from worker.errors import EngineFailed, ModelUnavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from worker.settings import WorkerSettings

# Tokens of one forward pass, in whole windows: matrices of fewer rows are multiplied more slowly. A text's numbers are the
# same, to the bit, in any company.
AT_ONCE = 512
# Texts that are tokenized at once, while those before are computed.
PIECE = 8
# Kernels are made for each length anew and kept, 2 MB a length and stream: so windows have one of so many.
LENGTHS = 16
# What is left over behind a multiple of this is computed slowly.
MULTIPLE = 16
# Each stream has buffers and kernels of its own, and the windows of one text keep four busy.
STREAMS = 4
# Passes that are handed in for each stream, with the one that it computes.
AHEAD = 3


class OpenVinoEngine(Engine):
    """As many groups of windows are computed at once as there are threads, up to STREAMS."""

    name, device = "openvino-int8", "cpu"

    def __init__(self, source: Source, settings: WorkerSettings, threads: int) -> None:
        config = read_config(source.folder)
        self.outputs = refuse_own(config, source.name)
        if not int8_is_fast():
            raise ModelUnavailable("this CPU multiplies no int8 (VNNI or AMX), where openvino-int8 is slow and inexact")
        core = quiet.openvino().Core()  # before minutes are spent on files that nothing could read
        folder = exported(source, settings.home, OPENVINO)
        self._tokens = Tokens(folder / "tokenizer.json", config)
        self._width, self.window = width_of(config), self._tokens.window
        self.model, self.revision = source.name, as_read(source.revision, self.window)
        streams = min(threads, STREAMS)
        # While all streams compute, the next windows wait inside: enough of them for the next texts to be fetched meanwhile.
        self._requests = AHEAD * streams
        self._group = partial(spread, lanes=streams, most=max(1, AT_ONCE // self.window))
        self._multiple = max(MULTIPLE, self.window // LENGTHS)
        self._compiled = core.compile_model(str(folder / "model.xml"), "CPU", _options(threads, streams))

    def begin(self, texts: Sequence[str]) -> Rest:
        """See Engine.begin."""
        return begin_by_windows(texts, self._tokens, self._forward, self._width, self._group, PIECE, self._multiple)

    def _forward(self, batches: Iterable[Inputs]) -> Iterator[NDArray[np.float32]]:
        # Requests of its own, 0.02 ms each: those of other texts may still run. Whichever is forgotten is waited for.
        running: deque[Any] = deque()
        try:
            for inputs in batches:
                if len(running) < self._requests:
                    request = self._compiled.create_infer_request()
                else:
                    request = running.popleft()
                    yield _result(request)
                request.start_async(dict(zip(INPUTS, inputs, strict=True)))
                running.append(request)
            while running:
                yield _result(running.popleft())
        except RuntimeError as error:
            raise EngineFailed(f"the model could not compute ({type(error).__name__})") from error


def _result(request: Any) -> NDArray[np.float32]:
    request.wait()
    return np.array(request.get_output_tensor(0).data)


def _options(threads: int, streams: int) -> dict[str, Any]:
    """Two streams of one thread give more than one of two, which wait for each other after every operation, and for any
    other process that takes a core from one of them."""
    return {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads,
        # Unasked, every process pins its first thread to the first core: two workers would share it.
        "ENABLE_CPU_PINNING": False,
        # What is not int8 stays fp32 on every CPU, so that workers on different machines agree.
        "INFERENCE_PRECISION_HINT": "f32",
    }
