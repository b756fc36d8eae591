"""The schema is the tables', and the tables' is the picture in the docs."""

from __future__ import annotations

import stat
from pathlib import Path

from alembic import command

from db.migrate import alembic_config, migrate, write_admin_key
from db.session import Database
from db.tenant import find_caller
from docs.draw_schema import drawing


def test_the_migrations_make_exactly_the_tables(servers, database):
    migrate(database)
    command.check(alembic_config(servers.database_url))


def test_the_admin_key_is_made_once_and_only_its_owner_reads_it(database: Database, tmp_path: Path):
    file = tmp_path / "api-key"
    assert write_admin_key(database, file)
    key = file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not write_admin_key(database, file)
    with database.session() as session:
        caller = find_caller(session, key)
        assert caller and caller.may("review")
        assert find_caller(session, key[:-1] + "x") is None
        assert find_caller(session, "") is None


def test_the_picture_of_the_schema_is_the_present_one():
    text = Path(__file__).parents[3].joinpath("docs/schema.md").read_text()
    assert drawing() in text
