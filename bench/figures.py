"""`python -m bench.figures`: puts the tables of the last run into docs/performance.md, so that no figure is copied by hand."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from bench.tables import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
# A place that was never filled has no end: the next place's end is not its own.
PLACE = re.compile(r"<!-- figures: (?P<name>[\w-]+) -->\n(?:(?:(?!<!-- figures: ).)*?<!-- end -->\n)?", re.DOTALL)


def shown(value: Any) -> str:
    """A cell: large numbers with commas, small ones with three figures."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("|", "\\|")
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.3g}"


def table(body: dict[str, Any]) -> str:
    """A result as Markdown, with what it was measured on."""
    rows, machine = body["rows"], body["machine"]
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0])]
    lines += [" | ".join(shown(value) for value in row.values()) for row in rows]
    made = "\n".join(f"| {line} |" for line in lines)
    settings = ", ".join(
        f"{k} {v}" for k, v in body.items() if k not in ("rows", "machine") and isinstance(v, int | float | str)
    )
    about = f"{machine['cpu']}, {machine['cores']} cores, {machine['at'][:10]}" + (f"; {settings}" if settings else "")
    return f"{made}\n\n*{about}.*\n"


def filled(page: str, results: Path) -> str:
    """The page with the table of each result that is there; other places stay as they are."""

    def put(match: re.Match[str]) -> str:
        file = results / f"{match['name']}.json"
        if not file.exists():
            return match[0]
        return f"<!-- figures: {match['name']} -->\n{table(json.loads(file.read_text()))}<!-- end -->\n"

    return PLACE.sub(put, page)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    given = parser.parse_args()
    given.page.write_text(filled(given.page.read_text(), given.results))


if __name__ == "__main__":
    main()
