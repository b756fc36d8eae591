"""The engine alone, in a process of its own: what the line is compared with. `python -m bench.bare` is that process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

# As many texts a call as a bulk chunk has.
CHUNK = 16


class Bare:
    """A process that holds the engine which `settings` ask for; idle between two calls of `rate`."""

    def __init__(self, home: Path, chunk: int = CHUNK, **settings: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.bare", str(chunk)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "GRADELINE_HOME": str(home), **settings},
        )  # fmt: skip
        self.about = self._read()

    def __enter__(self) -> Bare:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()

    def rate(self, texts: list[str]) -> dict[str, float]:
        """Texts a second in `per_s`, and what else one pass over the texts had to tell."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(texts) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the bare engine could not start, or ended: see above")
        return dict(json.loads(line))


def serve(chunk: int) -> None:
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
        began, tokens = time.perf_counter(), 0
        for start in range(0, len(texts), chunk):
            tokens += int(engine.encode(texts[start : start + chunk]).tokens.sum())
        spent = time.perf_counter() - began
        print(json.dumps({"per_s": len(texts) / spent, "tokens": tokens, "seconds": spent}), file=answers, flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
