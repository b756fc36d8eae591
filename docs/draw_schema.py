"""Draws the database's schema from its tables into docs/schema.md: `make schema`."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Table

from db.tables import Base

HEAD = """# The schema

Made by `make schema` from the tables in `db/`; a test says when it is out of date.

"""


def drawing() -> str:
    """An entity relationship diagram in Mermaid, which code hosts show as a picture."""
    tables = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    return "\n".join(
        ["```mermaid", "erDiagram", *(line for t in tables for line in entity(t)), *links(tables), "```", ""]
    )


def entity(table: Table) -> list[str]:
    """A table with its columns."""
    rows = []
    for column in table.columns:
        marks = ", ".join(m for m, so in (("PK", column.primary_key), ("FK", bool(column.foreign_keys))) if so)
        kind = str(column.type).split("(")[0].lower().replace(" ", "_").replace("[]", "_list")
        rows.append(f"        {kind} {column.name} {marks}".rstrip())
    return [f"    {table.name} {{", *rows, "    }"]


def links(tables: list[Table]) -> list[str]:
    """A line for each foreign key."""
    return [
        f"    {key.column.table.name} ||--o{{ {table.name} : {key.parent.name}"
        for table in tables
        for key in sorted(table.foreign_keys, key=lambda k: k.parent.name)
    ]


if __name__ == "__main__":
    Path(__file__).with_name("schema.md").write_text(HEAD + drawing())
