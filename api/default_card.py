"""The card of a head that comes along: a file beside the worker's code, which the API reads and does not import."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

HEADS = Path(__file__).parents[1] / "worker" / "head"


@cache
def default_card(model: str = "") -> dict[str, Any] | None:
    """What `python -m heads.fit` has measured of the head that comes along for a model, or of the default model's where that
    has none; None where the API was installed without the worker's files.
    """
    for folder in (HEADS / (Path(model).name or "."), HEADS):
        try:
            found: dict[str, Any] = json.loads((folder / "default.json").read_text())
        except OSError:
            continue
        return found
    return None


def by_criterion(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The card's figures, criterion by criterion: kappa and coverage where the assignment was seen, and where not."""
    measured = card["card"]["measured"]
    return {
        name: {
            side: {
                "wtkappa": measured[side]["means"].get(name),
                "by_assignment": {a: found.get(name) for a, found in measured[side]["by_assignment"].items()},
                "coverage": measured["coverage"][side][name]["coverage"],
                "mean_width": measured["coverage"][side][name]["width"],
            }
            for side in ("seen", "unseen")
        }
        for name in card["criteria"]
    }
