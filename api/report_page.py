"""A report as a page: one HTML file that needs nothing else."""

from __future__ import annotations

from typing import Any

from flask import render_template
from markupsafe import Markup

from api import plots
from api.bars import BARS, missed

# Pictures take about a tenth of a second a score; tables show them all.
MOST_DRAWN = 12
OVERALL = "Overall"


def page(report: dict[str, Any]) -> str:
    """The page of what `api.reports` answers as JSON."""
    scores = {name: found for name, found in report["criteria"].items() if found}
    # With one criterion, the overall score is that criterion again.
    whole = {OVERALL: report["overall"]} if report["overall"] and len(scores) > 1 else {}
    rows = [*scores.items(), *whole.items()]
    return render_template(
        "report.html", report=report, rows=rows, drawn=[(name, *_drawn(found)) for name, found in rows[:MOST_DRAWN]],
        left=max(0, len(rows) - MOST_DRAWN), chart=_chart(report["default_head"]), bars=BARS, missed=missed, number=number,
    )  # fmt: skip


def number(value: float | None, digits: int = 2) -> str:
    """A figure for a table; a dash for one that is not known."""
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _drawn(found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Markup]]:
    """A score's figures and its pictures, which hold numbers and our own words alone."""
    drawn = {"scatter": plots.scatter(found), "confusion": plots.confusion(found)}
    if any(each["coverage"] is not None for each in found["intervals"]["reliability"]):
        drawn["reliability"] = plots.reliability(found)
    if any(each["wtkappa"] is not None for each in found["learning_curve"]):
        drawn["learning"] = plots.learning_curve(found, BARS["wtkappa"])
    return found, {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 - see above


def _chart(head: dict[str, Any] | None) -> Markup | None:
    if head is None:
        return None
    values = {
        said: [each[side]["wtkappa"] for each in head["figures"].values()]
        for side, said in (("seen", "assignment seen"), ("unseen", "assignment left out"))
    }
    drawn = plots.bars(list(head["figures"]), values, "QWK, mean over assignments", BARS["wtkappa"])
    return Markup(drawn)  # noqa: S704 - the names are those of a card that comes with Gradeline
