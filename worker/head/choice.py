"""Which heads grade with an encoder: one's own, a checkpoint's outputs, or those that come along."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import ModelUnavailable
from worker.head.checkpoint import checkpoint_head
from worker.head.home import newest, read_own
from worker.head.ridge import Head
from worker.head.standing import FILE, Standing, load_standing
from worker.head.store import load_default, shipped

if TYPE_CHECKING:
    from worker.engine.base import Engine
    from worker.settings import WorkerSettings

UNCALIBRATED = (
    "this checkpoint grades by its own outputs, and calibrations need a head for its hidden states: fit one with `{}`"
)


@dataclass(frozen=True)
class Heads:
    """What scores a text, and what calibrations begin with; `why` says why they can't, where there is no `standing`."""

    head: Head
    standing: Standing | None
    why: str = ""


def choose(engine: Engine, settings: WorkerSettings, fitted_on: tuple[str, str] | None = None) -> Heads:
    """The heads in use for an engine. ModelUnavailable says how to fit one where there is none.

    `fitted_on` names another encoder whose heads are borrowed.
    """
    model, revision = fitted_on or (engine.model, engine.revision)
    own = newest(settings.home, model, revision)
    if own is not None:
        standing = load_standing(model, revision, own) if (own / FILE).exists() else None
        return Heads(read_own(own, model, revision), standing)
    if engine.outputs:
        return Heads(of_checkpoint(engine, settings), None, UNCALIBRATED.format(command(settings)))
    try:
        return Heads(load_default(model, revision), load_standing(model, revision, shipped(model, revision)))
    except ModelUnavailable as error:
        hint = f" ({engine.outputs.hint})" if engine.outputs.hint else ""
        raise ModelUnavailable(
            f"{error}{hint}: fit one on essays that people have scored with `{command(settings)}`, "
            "or leave GRADELINE_MODEL empty"
        ) from error


def of_checkpoint(engine: Engine, settings: WorkerSettings) -> Head:
    """The head that reads a checkpoint's outputs as they are."""
    width = engine.encode([""]).vectors.shape[1]
    scale = settings.model_min, settings.model_max
    return checkpoint_head(engine.model, engine.revision, engine.outputs.labels, width, *scale)


def command(settings: WorkerSettings) -> str:
    """What to run to fit a head for the model of these settings."""
    revision = f" --revision {shlex.quote(settings.model_revision)}" if settings.model_revision else ""
    return f"gradeline heads fit --model {shlex.quote(settings.own_model)}{revision} --data FILE.csv"
