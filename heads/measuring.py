"""How well a head agrees with a person's own scores, and whether that is better than before."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from heads.agreement import coverage
from heads.graded import BadData, Graded
from heads.refit import Read
from worker.head import Head
from worker.head.agreement import agreement_of, mean_kappa

# The figures of agreement, by the word that heads their column.
FIGURES = {"n": "n", "qwk": "QWK", "pearson": "r", "smd": "SMD", "rmse": "RMSE", "exact": "exact", "adjacent": "adj."}


def shared_of(head: Head, graded: Graded) -> list[str]:
    """The criteria that both have."""
    shared = [name for name in graded.criteria if name in head.criteria]
    if not shared:
        raise BadData(f"{head.name}@{head.version} scores {', '.join(head.criteria)}: the data has none of these")
    return shared


def compared(head: Head, read: Read) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]]]:
    """Agreement and coverage of a head on graded essays, for the criteria that both have."""
    graded, done = read.graded, head.predict(read.evidence(head.centre))
    shared = shared_of(head, graded)
    ours, theirs = [head.criteria.index(c) for c in shared], [graded.criteria.index(c) for c in shared]
    scales = [graded.scales[k] for k in theirs]
    agreement = agreement_of(scales, graded.scores[:, theirs], done.scores[:, ours])
    return agreement, coverage(graded.unit[:, theirs], done.low[:, ours], done.high[:, ours], shared)


def refuse_worse(measured: dict[str, Any], force: bool) -> None:
    """BadData if the `agreement` of a new head is worse than that of the `default` one, unless forced."""
    now, then = (mean_kappa(measured[a], measured[b]) for a, b in (("agreement", "default"), ("default", "agreement")))
    if now is not None and then is not None and now < then and not force:
        raise BadData(
            f"the new head would agree worse with your scores (mean QWK {now:.2f}) than the one that comes along "
            f"({then:.2f}), which stays in use: fit on more essays, or say --force"
        )


def table_of(agreement: dict[str, dict[str, Any]], covered: dict[str, dict[str, float]], title: str) -> Table:
    """A row a criterion, and in it the share of human scores `inside` the intervals, whose `width` is of the scale."""
    table = Table(title=title, header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    for column in ("criterion", *FIGURES.values(), "inside", "width"):
        table.add_column(column, no_wrap=True, justify="left" if column == "criterion" else "right")
    for name, row in agreement.items():
        inside = covered[name]
        figures = [row[key] for key in FIGURES] + [inside["coverage"], inside["width"]]
        table.add_row(name, *("-" if value is None else f"{value:.3g}" for value in figures))
    return table
