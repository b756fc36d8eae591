"""The engine alone, in a process of its own: what the line is compared with. `python -m bench.bare` is that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.engine import Engine

# More texts a call than a chunk of the line has: at each end, one of two cores has nothing to do.
CHUNK = 64


class Bare:
    """A process that holds the engine which `settings` ask for; idle between two calls of `rate`."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "GRADELINE_HOME": str(home), **settings},
        )  # fmt: skip
        self.about = self._read()

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def rate(self, texts: list[str]) -> float:
        """Texts a second of one pass over the texts."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        return float(self._read()["per_s"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the bare engine could not start, or ended: see above")
        return dict(json.loads(line))


def serve() -> None:
    """One line of JSON about the engine, then one for each line of texts."""
    began = time.perf_counter()
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print what they like
    from worker.engine import load_engine
    from worker.settings import WorkerSettings

    engine = load_engine(WorkerSettings())
    about = {"engine": engine.name, "device": engine.device, "load_s": time.perf_counter() - began}
    print(json.dumps(about), file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        print(json.dumps({"per_s": rate_of(engine, texts)}), file=answers, flush=True)


def rate_of(engine: Engine, texts: list[str]) -> float:
    """Texts a second, read chunk by chunk."""
    began = time.perf_counter()
    for start in range(0, len(texts), CHUNK):
        engine.encode(texts[start : start + CHUNK])
    return len(texts) / (time.perf_counter() - began)


if __name__ == "__main__":
    serve()
