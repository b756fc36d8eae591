"""`python -m tests.fuzz`: fuzzed requests for every route, and broken HTTP for a real server; what is wrong, and figures."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from gradeline.stack.home import Home
from tests.fuzz.ground import Ground
from tests.fuzz.hunt import HANG_S, Seen, hunt, quantile, rss_mb
from tests.fuzz.parsers import hunt_parsers
from tests.fuzz.raw import hunt_raw
from tests.integration.line import Line

console = Console()


def say(what: str) -> None:
    console.print(what, markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="for the app, without a server between")
    parser.add_argument("--raw", type=int, help="for a real server, over sockets [a twentieth of --requests]")
    parser.add_argument("--parsers", type=int, help="files and tables for each reader [a fiftieth of --requests]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hang", type=float, default=HANG_S, help="seconds that a request may take")
    parser.add_argument("--json", type=Path, help="a file for the figures and the findings")
    wanted = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")  # hypothesis finds long bodies worth a word
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        line = Line(Home(Path(folder).resolve()))
        try:
            figures = all_of_it(line, wanted)
        finally:
            line.close()
    console.print_json(data={name: each for name, each in figures.items() if name != "findings"})
    for found in figures["findings"]:
        say(f"\n{found['endpoint']}: {found['what']}\n{found['detail']}\n{found['curl'][:4000]}")
    say(f"\n{len(figures['findings'])} findings")
    sys.exit(bool(figures["findings"]))


def all_of_it(line: Line, wanted: argparse.Namespace) -> dict[str, Any]:
    began, ground = time.monotonic(), Ground(line.database_url, line.redis_url)
    warm: list[float] = []

    def tell(seen: Seen) -> None:
        if seen.requests >= wanted.requests / 5:
            warm.append(rss_mb())
        spent = time.monotonic() - began
        say(f"{seen.requests:,} requests in {spent:.0f} s, {len(seen.findings)} findings, {rss_mb():.0f} MB")

    try:
        seen = hunt(ground, wanted.requests, wanted.seed, tell, wanted.hang)
    finally:
        ground.close()
    figures = told(seen, began)
    figures["grown_mb"] = round(warm[-1] - warm[0], 1) if warm else None
    _write(figures, wanted.json)
    raw = wanted.requests // 20 if wanted.raw is None else wanted.raw
    if raw:
        figures["raw"], more = hunt_raw(line.database_url, line.redis_url, raw, wanted.seed, wanted.hang)
        figures["findings"] += more
        _write(figures, wanted.json)
    files = wanted.requests // 50 if wanted.parsers is None else wanted.parsers
    if files:
        figures["parsers"], more = hunt_parsers(files, wanted.seed, wanted.hang)
        figures["findings"] += more
        _write(figures, wanted.json)
    return figures


def _write(figures: dict[str, Any], file: Path | None) -> None:
    """What is known so far: a long run may be cut off."""
    if file:
        file.write_text(json.dumps(figures, indent=1) + "\n")


def told(seen: Seen, began: float) -> dict[str, Any]:
    """The figures of the requests without a server between."""
    return {
        "requests": seen.requests,
        "endpoints": len(seen.endpoints),
        "statuses": {str(status): count for status, count in sorted(seen.statuses.items())},
        "backpressure": seen.backpressure,
        "ms": {
            name: round(quantile(seen.seconds, q) * 1000, 1) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        },
        "slowest": seen.slowest,
        "seconds": round(time.monotonic() - began),
        "findings": [asdict(each) for each in seen.findings.values()],
    }


if __name__ == "__main__":
    main()
