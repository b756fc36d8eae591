"""Whoever has a session can write any row, whatever else was imported; connections that have rested are as good as others."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import text

from db import session as sessions
from db.session import Database
from db.settings import DatabaseSettings

CODE = """
from db.session import Database
from db.batch import Batch
from sqlalchemy import inspect
assert inspect(Batch)._sorted_tables
"""


def test_a_session_knows_the_tables_that_a_row_points_to():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def single(servers):
    """A database of one connection."""
    opened = Database(DatabaseSettings(database_url=servers.database_url, database_pool=1))
    yield opened
    opened.close()


def asked(database: Database, statement: str) -> object:
    with database.statement() as session:
        return session.scalar(text(statement))


def test_a_connection_to_which_the_server_has_said_something_is_used_if_it_lives(single, monkeypatch):
    used = asked(single, "SELECT pg_backend_pid()")
    monkeypatch.setattr(sessions, "_silent", lambda _: False)
    assert asked(single, "SELECT pg_backend_pid()") == used


def test_a_connection_that_was_cut_while_it_rested_is_replaced(single):
    cut = asked(single, "SELECT pg_backend_pid()")
    with psycopg.connect(single.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (cut,))
    assert asked(single, "SELECT pg_backend_pid()") not in (None, cut)


def test_a_plan_for_a_few_rows_is_not_kept_for_many(single):
    """Nobody has looked at the table since it grew: that is so for a minute after a first large batch."""
    counted = text("SELECT count(*) FROM growing WHERE id = ANY(:ids)")
    scans = text("SELECT seq_scan FROM pg_stat_xact_all_tables WHERE relid = 'growing'::regclass")
    with single.statement() as session:
        session.execute(text("CREATE TEMP TABLE growing AS SELECT n AS id FROM generate_series(1, 20) n"))
        session.execute(text("CREATE UNIQUE INDEX ON growing (id)"))
        session.execute(text("ANALYZE growing"))
    for _ in range(20):
        with single.statement() as session:
            assert session.scalar(counted, {"ids": list(range(20))}) == 19
    with single.statement() as session:
        session.execute(text("INSERT INTO growing SELECT n FROM generate_series(21, 50000) n"))
    with single.session() as session:
        before = session.scalar(scans)
        assert session.scalar(counted, {"ids": list(range(20))}) == 19
        assert session.scalar(scans) == before
