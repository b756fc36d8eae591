"""`python -m db.migrate`: brings the schema to its head and makes what a new stack needs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from db.logs import configure
from db.rubric import default_rubric
from db.session import Database
from db.settings import DatabaseSettings
from db.tenant import create_key, default_tenant

HERE = Path(__file__).parent / "migrations"


def alembic_config(url: str) -> Config:
    """Alembic's settings, without a file."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["url"] = url
    return config


def migrate(database: Database) -> None:
    """From whatever is there to the newest schema, with the default tenant and rubric. Two at once take turns."""
    with database.engine.connect() as lock:
        # Several containers may start together; session locks end with their connection.
        lock.execute(text("SELECT pg_advisory_lock(hashtextextended('gradeline migrate', 0))"))
        lock.commit()
        command.upgrade(alembic_config(database.settings.database_url), "head")
        with database.session() as session:
            default_tenant(session)
            default_rubric(session)
        lock.execute(text("SELECT pg_advisory_unlock(hashtextextended('gradeline migrate', 0))"))
        lock.commit()


def write_admin_key(database: Database, path: Path) -> bool:
    """Makes an admin key and writes it to a file that only its owner reads; False when the file is there already."""
    if path.exists():
        return False
    with database.session() as session:
        key = create_key(session, default_tenant(session).id, "admin of this stack", ("admin",))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m db.migrate", description=__doc__)
    parser.add_argument("--key-file", type=Path, help="write an admin key there, unless the file exists")
    arguments = parser.parse_args()
    settings = DatabaseSettings()
    configure(settings, "gradeline-migrate")
    database = Database(settings)
    migrate(database)
    if arguments.key_file:
        write_admin_key(database, arguments.key_file)


if __name__ == "__main__":
    main()
