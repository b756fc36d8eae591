from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from api.app import create_app
from api.settings import ApiSettings
from db import jobs
from db.session import Database
from db.tenant import SCOPES, create_key
from db.work import Finished
from gradeline.stack.home import free_port
from tests.conftest import Servers
from tests.tenants import new_tenant

MakeKey = Callable[..., str]


@pytest.fixture(scope="session")
def app(servers: Servers) -> Iterator[Flask]:
    settings = ApiSettings(database_url=servers.database_url, redis_url=servers.redis_url)
    made = create_app(settings)
    yield made
    close(made)


def close(app: Flask) -> None:
    services = app.extensions["gradeline"]
    services.dispatcher.stop()  # or it might open the database again
    services.celery.close()
    services.database.close()


@pytest.fixture
def make_app(servers: Servers) -> Iterator[Callable[..., Flask]]:
    """Makes apps with settings of their own."""
    made: list[Flask] = []

    def make_app(**settings: Any) -> Flask:
        usual = {"database_url": servers.database_url, "redis_url": servers.redis_url}
        made.append(create_app(ApiSettings(**{**usual, **settings})))
        return made[-1]

    yield make_app
    for each in made:
        close(each)


@pytest.fixture
def make_key(database: Database) -> MakeKey:
    def make_key(*scopes: str, tenant: uuid.UUID | None = None) -> str:
        with database.session() as session:
            if tenant is None:
                tenant = new_tenant(session)
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


@dataclass(frozen=True)
class Served:
    """The API as it is really served: gunicorn in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def worker(self) -> psutil.Process:
        return psutil.Process(self.process.pid).children()[0]


@pytest.fixture
def serve(servers: Servers) -> Iterator[Callable[..., Served]]:
    started: list[subprocess.Popen[bytes]] = []

    def serve(**settings: object) -> Served:
        port = free_port()
        own = {f"GRADELINE_{name}".upper(): str(value) for name, value in settings.items()}
        own |= {"GRADELINE_PORT": str(port), "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        started.append(subprocess.Popen([sys.executable, "-m", "api"], env={**os.environ, **own}))
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/healthz", timeout=10).raise_for_status()
                return Served(url, started[-1])
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)

    yield serve
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=60)


@dataclass
class Endpoint:
    """A real HTTP server that is told of ends; it gives the answers in `says`, and then 204."""

    url: str = ""
    says: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    slow_s: float = 0.0
    longest: bytes = b""  # of a body of its answer, again and again, until nobody reads it


@contextmanager
def listening() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            endpoint.paths.append(self.path)
            time.sleep(endpoint.slow_s)
            status, headers = endpoint.says.pop(0) if endpoint.says else (204, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                while endpoint.longest:
                    self.wfile.write(endpoint.longest)
            except OSError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with listening() as endpoint:
        yield endpoint
