from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from api.app import create_app
from api.settings import ApiSettings
from db import jobs
from db.jobs import Finished
from db.session import Database
from db.tenant import SCOPES, Tenant, create_key
from tests.conftest import Servers

MakeKey = Callable[..., str]


@pytest.fixture(scope="session")
def app(servers: Servers) -> Iterator[Flask]:
    settings = ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url)
    made = create_app(settings)
    yield made
    services = made.extensions["gradeline"]
    services.dispatcher.stop()  # or it might open the database again
    services.celery.close()
    services.database.close()


@pytest.fixture
def make_key(database: Database) -> MakeKey:
    def make_key(*scopes: str, tenant: uuid.UUID | None = None) -> str:
        with database.session() as session:
            if tenant is None:
                made = Tenant(name=uuid.uuid4().hex)
                session.add(made)
                session.flush()
                tenant = made.id
            return create_key(session, tenant, "test", scopes or SCOPES)

    return make_key


@dataclass(frozen=True)
class Api:
    """Somebody with a key."""

    http: FlaskClient
    key: str

    def __call__(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        return self.http.open(path, method=method, headers=headers, **options)


@pytest.fixture
def api(app: Flask, make_key: MakeKey) -> Api:
    return Api(app.test_client(), make_key())


def send_form(api: Api, path: str, fields: dict[str, Any], headers: dict[str, str] | None = None) -> TestResponse:
    """A form with files. The test client's own would leave its temporary file open when a body is refused."""
    files = {name: FileStorage(*each) if isinstance(each, tuple) else each for name, each in fields.items()}
    boundary, body = encode_multipart(files)
    return api("POST", path, data=body, content_type=f"multipart/form-data; boundary={boundary}", headers=headers or {})


def end_jobs(
    database: Database, ids: Sequence[str], result: dict[str, Any] | None = None, error: dict[str, Any] | None = None
) -> None:
    """Ends jobs as a worker does. One that is being marked as sent at this moment is claimed a moment later."""
    left, deadline = {uuid.UUID(job) for job in ids}, time.monotonic() + 60
    while left:
        assert time.monotonic() < deadline
        with database.session() as session:
            held = jobs.claim(session, sorted(left), "w", 60)
            left -= jobs.finish(session, [Finished(h.id, h.attempt, {}, result, error) for h in held], "m", "r")
