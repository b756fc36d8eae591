"""What a checkpoint's own outputs stand for, read from its config.json: the names and kind of a fine-tuned grader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.errors import ModelUnavailable
from worker.head.traits import measured_by

CLASSIFIES = "ForSequenceClassification"
SHOWN = 6


@dataclass(frozen=True)
class Outputs:
    """`labels` in the order of the outputs, empty for a model that does not grade of itself; `hint` says why it doesn't."""

    labels: tuple[str, ...] = ()
    probabilities: bool = False  # each output is the logit of a probability of its own
    hint: str = ""

    def __len__(self) -> int:
        return len(self.labels)


def outputs_of(config: dict[str, Any]) -> Outputs:
    """The outputs of a sequence-classification checkpoint that are called by criteria or traits; else none."""
    if not any(str(name).endswith(CLASSIFIES) for name in config.get("architectures") or []):
        return Outputs()
    named = config.get("id2label") or {}
    labels = tuple(str(named[key]) for key in sorted(named, key=int))
    if config.get("problem_type") == "single_label_classification":
        return Outputs(hint=f"its outputs ({_listed(labels)}) are classes that exclude each other, not scores")
    if not any(measured_by(label) for label in labels):
        return Outputs(
            hint=f"its outputs are called {_listed(labels) or 'nothing'}: if they are scores, "
            "name each in id2label of its config.json by the criterion or trait that it measures"
        )
    return Outputs(labels, config.get("problem_type") == "multi_label_classification")


def refuse_own(config: dict[str, Any], name: str) -> Outputs:
    """A model's lack of outputs. ModelUnavailable if it has some: their numbers must be exact, so they aren't quantized."""
    outputs = outputs_of(config)
    if outputs:
        raise ModelUnavailable(
            f"{name} grades by outputs of its own, which the engine torch alone reads: set GRADELINE_ENGINE=torch"
        )
    return outputs


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")
