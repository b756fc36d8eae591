"""The testing industry's bars (Williamson, Xi & Breyer 2012; ETS), and what of a report misses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# The least that is enough; of SMD and DSM the most, in either direction; of degradation the least change.
BARS = {"wtkappa": 0.70, "corr": 0.70, "SMD": 0.15, "DSM": 0.10, "degradation": -0.10}


def missed(figure: str, value: float | None) -> bool:
    """Whether a value is beyond its bar. One that is not known misses nothing."""
    if value is None:
        return False
    if figure in ("SMD", "DSM"):
        return abs(value) > BARS[figure]
    return value < BARS[figure]


def misses(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything in a report that misses its bar, in its order; the overall score last, as criterion null."""
    scores = [*report["criteria"].items(), (None, report["overall"])]
    return [
        {"criterion": name, **where, "value": value, "bar": BARS[figure]}
        for name, found in scores
        if found
        for figure, where, value in _figures(found)
        if missed(figure, value)
    ]


def default_misses(figures: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What of the default head's kappas, means over assignments, misses its bar."""
    return [
        {"criterion": name, "figure": f"{side}.wtkappa", "value": each["wtkappa"], "bar": BARS["wtkappa"]}
        for name, found in figures.items()
        for side, each in found.items()
        if missed("wtkappa", each["wtkappa"])
    ]


def _figures(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, str], float | None]]:
    """The figures of one score that have a bar: the bar's name, which figure it is, its value.

    Kappa of the scores on steps, as they are given; the others of the scores before rounding (RSMTool's choice).
    """
    for figure, kind in (("wtkappa", "raw_trim_round"), ("corr", "raw_trim"), ("SMD", "raw_trim")):
        yield figure, {"figure": f"{kind}.{figure}"}, found[kind][figure]
    if lost := found["degradation"]:
        for figure, kind in (("corr", "raw_trim"), ("wtkappa", "raw_trim_round")):
            yield "degradation", {"figure": f"degradation.{kind}.{figure}"}, lost[kind].get(figure)
    for grouping, each in found["subgroups"].items():
        for name, group in each["groups"].items():
            if group["enough"]:  # a handful of texts is far from anything by chance
                yield "DSM", {"figure": "subgroups.DSM", "grouping": grouping, "group": name}, group["DSM"]
