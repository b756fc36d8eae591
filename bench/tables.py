"""What every measurement leaves: a table on the screen, the figures as JSON, and a picture."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
Row = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    return {"cpu": name, "cores": len(os.sched_getaffinity(0)), "at": datetime.now(UTC).isoformat(timespec="seconds")}


def median(values: Sequence[float]) -> float:
    """The middle of the rounds of one run."""
    return float(statistics.median(values))


def times(ones: Sequence[float], others: Sequence[float]) -> float:
    """How many times the others the ones are: the middle of the rounds' own ratios. Turns of one round are neighbours in time,
    so that what the machine's other guests do to a round cancels out."""
    return median([one / other for one, other in zip(ones, others, strict=True)])


def write(
    name: str, rows: Sequence[Row], out: Path = RESULTS, more: Mapping[str, Any] | None = None,
    draw: Callable[[Any, Sequence[Row]], None] | None = None,
) -> None:  # fmt: skip
    """Prints the rows, and writes them to `<out>/<name>.json`; `draw(axes, rows)` makes `<out>/<name>.png`."""
    table = Table(*rows[0].keys(), title=name)
    for row in rows:
        table.add_row(*(f"{value:,.4g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console(width=160).print(table)
    out.mkdir(parents=True, exist_ok=True)
    body = {"machine": machine(), **(more or {}), "rows": list(rows)}
    (out / f"{name}.json").write_text(json.dumps(body, indent=1) + "\n")
    if draw is not None:
        _picture(out / f"{name}.png", name, rows, draw)


def _picture(file: Path, name: str, rows: Sequence[Row], draw: Callable[[Any, Sequence[Row]], None]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"{name} ({machine()['cpu']}, {machine()['cores']} cores)")
    draw(axes, rows)
    figure.savefig(file, dpi=120)
