"""A stack of one's own for a measurement, gone afterwards however the measurement ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.models import kept_folder
from gradeline.stack import launch
from gradeline.stack.home import Home, free_port


@contextmanager
def own_stack(
    workers: int = 1, flower: bool = False, prepare: Callable[[Home], None] = lambda _: None, /, **settings: str
) -> Iterator[Home]:
    """A stack, with Flower or without, in a folder and on ports of its own, with settings added to its environment.

    Its models, exports and own heads are kept for the next run, but for those that `prepare` has put into its home. Its
    supervisor ends it when this process is gone.
    """
    signal.signal(signal.SIGTERM, _leave)  # so that what stands in `finally` is done
    with contextlib.ExitStack() as left:
        at = Home(Path(left.enter_context(tempfile.TemporaryDirectory())).resolve() / "home")
        prepare(at)
        keep_models(at)
        left.callback(launch.down, at)
        start(at, workers, settings, flower)
        yield at


def start(home: Home, workers: int, settings: dict[str, str], flower: bool = False) -> float:
    """Starts a stack; returns the seconds until it grades."""
    began = time.perf_counter()
    wanted = launch.Wanted(workers, free_port(), free_port() if flower else None)
    with environment(settings):
        launch.up(home, wanted, lambda step: print(f"  stack: {step}", file=sys.stderr, flush=True))
    return time.perf_counter() - began


@contextmanager
def environment(settings: dict[str, str]) -> Iterator[None]:
    """Settings in our environment, for what is started now."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def keep_models(home: Home) -> None:
    """Lets a home use the models, exports and own heads that stay between runs."""
    home.path.mkdir(parents=True, exist_ok=True)
    for name in ("models", "heads"):
        (kept_folder() / name).mkdir(exist_ok=True)
        if not (home.path / name).exists():
            (home.path / name).symlink_to(kept_folder() / name)


def family(home: Home, name: str) -> list[psutil.Process]:
    """The processes of a part, children included."""
    found = launch.processes(home).get(name, [])
    return [p for pid in found for p in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]


def cpu_seconds(home: Home, name: str) -> float:
    """CPU time that the processes of a part have used so far, children included."""
    total = 0.0
    for process in family(home, name):
        with contextlib.suppress(psutil.Error):  # a connection's process may have ended since
            used = process.cpu_times()
            total += used.user + used.system
    return total


def memory(home: Home, name: str) -> dict[str, Any]:
    """Megabytes of a part: of its largest process, and of all with shared pages counted once."""
    largest = together = 0.0
    for process in family(home, name):
        with contextlib.suppress(psutil.Error):
            info = process.memory_full_info()
            largest, together = max(largest, info.rss / 2**20), together + info.pss / 2**20
    return {"largest_rss_mb": round(largest), "all_pss_mb": round(together)}


def _leave(*_: Any) -> None:
    raise SystemExit(143)
