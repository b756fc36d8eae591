"""Pictures of a report, as SVG to stand in a page. The only module that draws (matplotlib).

No text of a user is drawn, and a picture's text stays text: it can be read aloud, copied, and enlarged.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from threading import Lock
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Figures = dict[str, Any]

INK, QUIET, FILL = "#1f4e79", "#8a8f98", "#c9d8e8"
# matplotlib keeps fonts and settings for the whole process, and a request is a thread.
DRAWING = Lock()
# Ids in what matplotlib writes, and what points to them: each picture of a page needs its own.
IDS = re.compile(r'(\bid="|href="#|url\(#)')


def scatter(found: Figures) -> str:
    """Machine scores over human ones."""
    ends = [found["scale"]["min"], found["scale"]["max"]]

    def draw(axes: Axes) -> None:
        axes.plot(ends, ends, color=QUIET, linewidth=1, linestyle="--")
        human, machine = zip(*found["points"], strict=True)
        axes.plot(human, machine, "o", color=INK, alpha=0.35, markersize=4, markeredgewidth=0)
        axes.set(xlabel="human score (points)", ylabel="machine score (points)", aspect="equal")

    return picture(draw, "Scatter plot of machine scores over human scores")


def confusion(found: Figures) -> str:
    """How often which human score met which machine score."""
    counts, labels = found["confusion"]["counts"], found["confusion"]["labels"]
    most = max(max(row) for row in counts)

    def draw(axes: Axes) -> None:
        places = range(len(labels))
        axes.pcolormesh(places, places, counts, shading="nearest", cmap="Blues", vmin=0, vmax=most * 1.3)
        every = -(-len(labels) // 11)
        axes.set_xticks(places[::every], [f"{label:g}" for label in labels[::every]])
        axes.set_yticks(places[::every], [f"{label:g}" for label in labels[::every]])
        if len(labels) <= 11:
            _numbers(axes, counts, most)
        axes.set(xlabel="machine score (points)", ylabel="human score (points)", aspect="equal")

    return picture(draw, "Confusion matrix: a row for each human score, a column for each machine score")


def _numbers(axes: Axes, counts: Sequence[Sequence[int]], most: int) -> None:
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            if count:
                color = "white" if count > 0.75 * most else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=color)


def reliability(found: Figures) -> str:
    """Coverage of intervals over what they promise."""
    known = [(p["nominal"], p["coverage"]) for p in found["intervals"]["reliability"] if p["coverage"] is not None]

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle="--")
        axes.plot(
            [100 * n for n, _ in known], [100 * c for _, c in known], "o-", color=INK, markersize=4, linewidth=1.2
        )
        axes.set(xlabel="promised (%)", ylabel="held (%)", xlim=(0, 100), ylim=(0, 100), aspect="equal")

    return picture(draw, "Share of human scores inside intervals, over the share that the intervals promise")


def learning_curve(found: Figures, bar: float) -> str:
    """Kappa over the number of examples; a dashed line at the industry's bar."""
    known = [(p["examples"], p["wtkappa"]) for p in found["learning_curve"] if p["wtkappa"] is not None]

    def draw(axes: Axes) -> None:
        axes.axhline(bar, color=QUIET, linewidth=1, linestyle="--")
        axes.plot([n for n, _ in known], [k for _, k in known], "o-", color=INK, markersize=4, linewidth=1.2)
        axes.set_xscale("log")
        sizes = [n for n, _ in known]
        # Numbers that would run into their right neighbour are left out.
        after = [*sizes[1:], 10**9]
        axes.set_xticks(
            sizes, [str(n) if n * 1.4 < following else "" for n, following in zip(sizes, after, strict=True)]
        )
        axes.minorticks_off()
        axes.set(
            xlabel="graded examples (logarithmic)", ylabel="QWK, held out", ylim=(min(0, *(k for _, k in known)), 1)
        )

    return picture(draw, "Quadratic weighted kappa of held-out scores over the number of examples")


def bars(names: Sequence[str], values: Mapping[str, Sequence[float | None]], label: str, bar: float | None) -> str:
    """Values side by side for each name; `label` says what they are. For names that come with Gradeline."""
    colors = dict(zip(values, (INK, FILL, QUIET), strict=False))

    def draw(axes: Axes) -> None:
        thick = 0.8 / len(values)
        for n, (series, heights) in enumerate(values.items()):
            at = [place + (n - (len(values) - 1) / 2) * thick for place in range(len(names))]
            axes.bar(at, [h or 0.0 for h in heights], thick, color=colors[series], label=series)
        if bar is not None:
            axes.axhline(bar, color=QUIET, linewidth=1, linestyle="--")
        axes.set_xticks(range(len(names)), list(names))
        axes.set(ylabel=label, ylim=(0, 1))
        # It stands on the axes, in the room that `picture` leaves above them.
        axes.legend(
            frameon=False, fontsize=8, loc="lower center", ncols=len(values), bbox_to_anchor=(0.5, 1), borderaxespad=0
        )

    return picture(draw, f"Bar chart: {label}", width=6.4)


def picture(draw: Callable[[Axes], None], label: str, width: float = 3.6) -> str:
    """One SVG element with a name for readers that can't see it."""
    # Imported here: only reports need it, and it takes as long as the rest of the API.
    import matplotlib
    from matplotlib.figure import Figure

    with DRAWING:
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gradeline", "font.size": 9})
        # Room for numbers of any scale; to have it computed (layout="constrained") takes half as long again.
        figure = Figure(figsize=(width, 3.2))
        axes = figure.add_axes((0.62 / width, 0.15, 1 - 0.76 / width, 0.77))
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    prefix = re.sub(r"\W+", "-", label.lower())[:20] + f"-{crc32(svg.encode()):x}-"
    named = IDS.sub(rf"\g<1>{prefix}", svg)
    return named.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
