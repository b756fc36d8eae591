"""Forms of a model that are made once and kept in the home: int8 for OpenVINO, int8 for ONNX Runtime.

Each is made by a module of its own, `python -m MODULE FOLDER OUT`, in a process of its own, so that no worker child keeps
torch in memory for it.
"""

from __future__ import annotations

import fcntl
import logging
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from worker.engine.source import Source
from worker.errors import ModelUnavailable

log = logging.getLogger(__name__)

SECONDS = 900


@dataclass(frozen=True)
class Form:
    """A kind of files that a module makes of a model. `graph` counts up when they change: no cache of older ones is read."""

    name: str
    module: str
    graph: int
    files: tuple[str, ...]  # the last one comes last: where it is, all are


OPENVINO = Form("openvino-int8", "worker.engine.to_openvino", 1, ("tokenizer.json", "model.bin", "model.xml"))
ONNX = Form("onnx-int8", "worker.engine.to_onnx", 1, ("tokenizer.json", "model.onnx"))


def exported(source: Source, home: Path, form: Form) -> Path:
    """The folder with a model's files in a form, made now if need be. ModelUnavailable if it fails."""
    folder = folder_of(source, home, form)
    if _is_whole(folder, form):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two children that start together export once
        if not _is_whole(folder, form):
            _export_aside(source, folder, form)
    return folder


def folder_of(source: Source, home: Path, form: Form) -> Path:
    """Where a form of a model is kept."""
    return home.resolve() / "models" / f"{source.key}-{form.name}-{form.graph}"


def _is_whole(folder: Path, form: Form) -> bool:
    return (folder / form.files[-1]).exists()


def _export_aside(source: Source, folder: Path, form: Form) -> None:
    log.info("making %s of %s, once: this takes about half a minute, for large models minutes", form.name, source.name)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as aside:
        command = [sys.executable, "-m", form.module, str(source.folder), aside]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ModelUnavailable(f"{source.name} was not made into {form.name} within {SECONDS} s") from error
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelUnavailable(f"{source.name} can't be made into {form.name}: {last[:300]}")
        folder.mkdir(exist_ok=True)
        for file in form.files:
            (Path(aside) / file).replace(folder / file)
    log.info("made %s of %s in %.0f s", form.name, source.name, time.perf_counter() - began)
