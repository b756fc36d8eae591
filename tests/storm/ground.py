"""The stack that the storm hits: a home and ports of its own, and the ways to its processes and servers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis

from gradeline.stack import launch, leftovers, postgres, valkey
from gradeline.stack.home import Home, Ports, free_port

SUPERVISOR = "gradeline.stack.supervisor"
PATIENCE_S = 60.0


class Ground:
    """One running stack. What is asked of a server that is away is asked again for a minute."""

    def __init__(self, home: Home, workers: int, settings: dict[str, str]) -> None:
        self.home, self.workers, self.settings = home, workers, settings

    @property
    def lease_s(self) -> float:
        return float(self.settings["GRADELINE_LEASE_S"])

    @property
    def ports(self) -> Ports:
        return Ports(**self.home.read()["ports"])

    @property
    def url(self) -> str:
        return str(self.home.read()["url"])

    @property
    def database_url(self) -> str:
        return postgres.url(self.home, self.ports.postgres)

    def named(self, what: str) -> list[psutil.Process]:
        """What the supervisor started under a name: worker, api, postgres, valkey."""
        return [p for p in self._started() if _is(p, what)]

    def children(self, what: str) -> list[psutil.Process]:
        """The processes that grade, or that answer requests."""
        found = []
        for parent in self.named(what):
            with contextlib.suppress(psutil.Error):
                found += parent.children()
        return found

    def _started(self) -> list[psutil.Process]:
        for process in leftovers.find(self.home):
            with contextlib.suppress(psutil.Error):
                if SUPERVISOR in process.cmdline():
                    return process.children()
        return []

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement that does no harm if it is run twice."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with psycopg.connect(self.database_url, autocommit=True, connect_timeout=3) as connection:
                    done = connection.execute(statement, values)
                    return done.fetchall() if done.description else []
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of the storm's own, which must not be held up for ever itself."""
        with psycopg.connect(self.database_url, connect_timeout=3, options="-c lock_timeout=5000") as connection:
            yield connection

    @contextmanager
    def broker(self) -> Iterator[redis.Redis]:
        url = valkey.url(self.home, self.ports.valkey)
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            yield client

    def queues(self) -> list[str]:
        return [name for (name,) in self.query("SELECT DISTINCT unnest(queues) FROM worker")]

    def messages(self) -> int:
        """Messages that lie in the broker, those included that a worker has not acknowledged."""
        names = self.queues()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self.broker() as client:
                    return sum(int(client.llen(f"gradeline:{name}")) for name in names) + int(
                        client.hlen("gradeline:unacked")
                    )
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


@contextmanager
def standing(folder: Path, workers: int, settings: dict[str, str]) -> Iterator[Ground]:
    """A stack that grades, and of which nothing is left afterwards, however this ends."""
    home = Home(folder.resolve())
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GRADELINE_")]:
        del os.environ[name]  # the storm's stack is the one that is written here, whoever runs it
    os.environ.update(settings)
    signal.signal(signal.SIGTERM, _leave)  # so that what stands in `finally` is done
    try:
        # Not detached: the supervisor stops everything when this process is gone.
        launch.up(home, launch.Wanted(workers, free_port(), None), lambda _: None)
        yield Ground(home, workers, settings)
    finally:
        for process in leftovers.find(home):  # a stopped process hears no SIGTERM
            with contextlib.suppress(psutil.Error):
                process.resume()
        launch.down(home)
        os.environ.clear()
        os.environ.update(before)


def _is(process: psutil.Process, what: str) -> bool:
    program = {"postgres": "postgres", "valkey": "valkey-server"}.get(what)
    try:
        if program:
            return process.name() == program
        return process.cmdline()[1:3] == ["-m", what]
    except psutil.Error:
        return False


def _leave(*_: Any) -> None:
    raise KeyboardInterrupt
