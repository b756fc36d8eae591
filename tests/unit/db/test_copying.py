"""COPY is part of its session's transaction, and fails like any other statement."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from db.base import new_ids
from db.copying import copy_rows
from db.errors import DatabaseAway
from db.submission import Submission

COLUMNS = ("id", "tenant_id", "text")


def count(database, tenant):
    with database.session() as session:
        return session.scalar(select(func.count()).select_from(Submission).where(Submission.tenant_id == tenant))


def test_rows_are_there_after_the_commit_and_not_after_a_failure(database, tenant):
    rows = [(each, tenant, "A text.") for each in new_ids(3)]
    with pytest.raises(RuntimeError), database.session() as session:
        copy_rows(session, "submission", COLUMNS, rows)
        raise RuntimeError
    assert count(database, tenant) == 0
    with database.session() as session:
        copy_rows(session, "submission", COLUMNS, rows)
    assert count(database, tenant) == 3


def test_a_row_that_the_database_refuses_is_an_error_of_the_database(database, tenant):
    with pytest.raises(DBAPIError), database.session() as session:
        copy_rows(session, "submission", COLUMNS, [(uuid.uuid4(), uuid.uuid4(), "Of no tenant.")])
    assert count(database, tenant) == 0


def test_a_server_that_goes_while_rows_are_sent_is_away(database, tenant):
    def rows(pid):
        for n in range(20_000):
            if n == 100:
                with database.session() as other:
                    other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            yield uuid.uuid4(), tenant, "A text. " * 20

    with pytest.raises(DatabaseAway), database.session() as session:
        copy_rows(session, "submission", COLUMNS, rows(session.scalar(text("SELECT pg_backend_pid()"))))
    assert count(database, tenant) == 0


def test_ids_made_together_are_of_this_moment_in_order_and_all_different():
    ids = new_ids(20_000)
    assert (
        ids == sorted(set(ids))
        and {each.version for each in ids} == {7}
        and {each.variant for each in ids} == {uuid.RFC_4122}
    )
    moments = {each.int >> 80 for each in [*ids, *new_ids(1)]}
    assert max(moments) - min(moments) < 5000
