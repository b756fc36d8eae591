"""Real servers for the tests, started from the wheels in folders and on ports of their own."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

from db.migrate import migrate
from db.session import Database
from db.settings import DatabaseSettings
from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, free_port
from tests.keeper import keep


def pytest_configure() -> None:
    # A run that is told to end stops what it has started, as at Ctrl-C; it would leave servers and workers running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep()


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL with a migrated database, and a Valkey."""

    home: Home
    database_url: str
    redis_url: str


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    home = Home(tmp_path_factory.mktemp("servers").resolve())
    home.prepare()
    postgres.make_cluster(home)
    ports = free_port(), free_port()
    commands = [postgres.command(home, ports[0]), valkey.command(home, ports[1])]
    with (home.logs / "servers.log").open("wb") as log:
        running = [subprocess.Popen(c, stdout=log, stderr=log, cwd="/") for c in commands]
    try:
        for _ in range(600):
            try:
                postgres.make_database(home, ports[0])
                break
            except psycopg.OperationalError:
                time.sleep(0.05)
        with redis.Redis.from_url(valkey.url(home, ports[1])) as client:
            client.ping()
        found = Servers(home, postgres.url(home, ports[0]), valkey.url(home, ports[1]))
        database = Database(DatabaseSettings(database_url=found.database_url))
        migrate(database)
        database.close()
        yield found
    finally:
        running[0].send_signal(2)
        running[1].terminate()
        for process in running:
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def database(servers: Servers) -> Iterator[Database]:
    opened = Database(DatabaseSettings(database_url=servers.database_url))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def model_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are exported to, once for all tests of a run."""
    return tmp_path_factory.mktemp("models")
