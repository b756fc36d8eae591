from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from db import jobs
from db.batch import Batch
from db.rubric import default_rubric
from db.session import Database
from db.work import NewJob
from tests.tenants import new_tenant

Submit = Callable[..., uuid.UUID]


@pytest.fixture
def tenant(database: Database) -> uuid.UUID:
    with database.session() as session:
        return new_tenant(session)


@pytest.fixture
def make_batch(database: Database, tenant: uuid.UUID) -> Callable[[], uuid.UUID]:
    def make_batch() -> uuid.UUID:
        with database.session() as session:
            made = Batch(tenant_id=tenant, rubric_id=default_rubric(session).id, total=0)
            session.add(made)
            session.flush()
            return made.id

    return make_batch


@pytest.fixture
def queue() -> str:
    return f"{uuid.uuid4().hex}.any.bulk"


@pytest.fixture
def submit(database: Database, tenant: uuid.UUID, queue: str) -> Submit:
    def submit(owner: uuid.UUID | None = None, batch: uuid.UUID | None = None, text: str = "Some text.") -> uuid.UUID:
        with database.session() as session:
            new = NewJob(text=text, model="m", device="any", priority="bulk", queue=queue, batch_id=batch)
            return jobs.submit(session, owner or tenant, default_rubric(session), new).id

    return submit
