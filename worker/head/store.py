"""Heads on disk: numbers in a safetensors file, all else in a JSON card beside it that carries the numbers' hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from worker.errors import ModelUnavailable
from worker.head.ridge import Head

HERE = Path(__file__).parent
WORDS = ("name", "version", "model", "revision", "degraded", "confidence")
ARRAYS = ("mean", "scale", "weights", "bias", "edges", "half_widths", "topic", "centre")


def write_head(head: Head, folder: Path, card: dict[str, Any]) -> None:
    """Writes `<name>.safetensors` and its card `<name>.json`."""
    numbers = save({name: np.asarray(getattr(head, name), np.float32) for name in ARRAYS})
    about = {
        **{word: getattr(head, word) for word in WORDS},
        "criteria": list(head.criteria),
        "sha256": hashlib.sha256(numbers).hexdigest(),
    }
    (folder / f"{head.name}.safetensors").write_bytes(numbers)
    (folder / f"{head.name}.json").write_text(json.dumps({**about, "card": card}, indent=1) + "\n")


def read_head(folder: Path, name: str) -> Head:
    """A head as it was written. ModelUnavailable when it is not there, or not what its card says."""
    try:
        about = json.loads((folder / f"{name}.json").read_text())
        numbers = (folder / f"{name}.safetensors").read_bytes()
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"there is no head '{name}': run `make heads`") from error
    if hashlib.sha256(numbers).hexdigest() != about["sha256"]:
        raise ModelUnavailable(
            f"the numbers of head '{name}' are not those of its card: reinstall, or run `make heads`"
        )
    arrays = {key: value.astype(np.float64) for key, value in load(numbers).items()}
    if arrays.keys() != set(ARRAYS):
        raise ModelUnavailable(f"the head '{name}' was fitted by another version of Gradeline: fit it again")
    fields: dict[str, Any] = {key: about[key] for key in WORDS} | arrays
    return Head(criteria=tuple(about["criteria"]), **fields)


def shipped(model: str, revision: str) -> Path:
    """The folder of the heads that come along for an encoder: the default one's here, each other's in a folder of its own.
    ModelUnavailable for an encoder that has none, and where a card can't be read."""
    for card in (HERE / "default.json", *sorted(HERE.glob("*/default.json"))):
        try:
            about = json.loads(card.read_text())
        except (OSError, ValueError) as error:
            raise ModelUnavailable("there is no head 'default': run `make heads`") from error
        if (about["model"], about["revision"]) == (model, revision):
            return card.parent
    raise ModelUnavailable(f"no head has been fitted for {model} at {revision}, and a model without one does not grade")


def load_default(model: str, revision: str) -> Head:
    """The head that comes along for an encoder. ModelUnavailable where none does."""
    return read_head(shipped(model, revision), "default")


def load_surface() -> Head:
    """The head on surface features alone, for when the encoder can't run. Its results are marked as degraded."""
    return read_head(HERE, "surface")
