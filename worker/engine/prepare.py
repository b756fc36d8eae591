"""`python -m worker.engine.prepare`: makes the files of both int8 engines now, so that a worker's first start finds them.

An image is built with it. Of a checkpoint with outputs of its own nothing is made: torch alone computes those.
"""

from __future__ import annotations

from db.logs import configure
from worker.engine.export import ONNX, OPENVINO, exported
from worker.engine.outputs import outputs_of
from worker.engine.source import find_source
from worker.engine.tokens import read_config
from worker.settings import WorkerSettings


def main() -> None:
    settings = WorkerSettings()
    configure(settings, "gradeline-prepare")
    source = find_source(settings)
    if outputs_of(read_config(source.folder)):
        return
    for form in (OPENVINO, ONNX):
        exported(source, settings.home, form)


if __name__ == "__main__":
    main()
