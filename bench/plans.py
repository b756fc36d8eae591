"""The plans of the statements that the product really sends: recorded as they pass, and explained afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from db.session import Database

Statement = tuple[str, Any]
PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Scan:
    """One reading of a table in a plan."""

    table: str
    how: str  # PostgreSQL's word: Seq Scan, Index Scan, ...
    index: str


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Statement]]:
    """The statements, with their values, that pass through an engine meanwhile."""
    seen: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def explained(database: Database, statement: Statement) -> list[Scan]:
    """How a statement would read its tables now. It is planned, and not carried out."""
    if statement[0].split(maxsplit=1)[0].upper() not in PLANNED:
        return []
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + statement[0], statement[1])
            return list(scans_of(cursor.fetchone()[0][0]["Plan"]))


def scans_of(plan: dict[str, Any]) -> Iterator[Scan]:
    """All readings of tables in a plan, as EXPLAIN writes it."""
    if "Relation Name" in plan and plan["Node Type"].endswith("Scan"):
        yield Scan(plan["Relation Name"], plan["Node Type"], plan.get("Index Name") or bitmap_index(plan))
    for below in plan.get("Plans", []):
        yield from scans_of(below)


def bitmap_index(plan: dict[str, Any]) -> str:
    """The indexes behind a bitmap, which stand in the nodes below."""
    own = [str(plan["Index Name"])] if "Index Name" in plan else []
    return " + ".join([*own, *filter(None, (bitmap_index(below) for below in plan.get("Plans", [])))])


def whole_tables(scans: Iterable[Scan], table: str) -> list[Scan]:
    """Those that read a whole table, row after row."""
    return [scan for scan in scans if scan.table == table and scan.how == "Seq Scan"]
