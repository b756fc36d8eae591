"""The card of the head that comes along: a file beside the worker's code, which the API reads and does not import."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

CARD = Path(__file__).parents[1] / "worker" / "head" / "default.json"


@cache
def default_card() -> dict[str, Any] | None:
    """What `python -m heads.fit` has measured; None where the API was installed without the worker's files."""
    try:
        found: dict[str, Any] = json.loads(CARD.read_text())
    except OSError:
        return None
    return found


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
