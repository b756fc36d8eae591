"""Servers and workers one by one, so that each can be killed, started again and told how to behave."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import psycopg
import redis
from sqlalchemy import func, select

from broker.app import make_app
from broker.dispatch import Dispatch
from db import jobs
from db.job import Attempt, Job, Result
from db.migrate import migrate, write_admin_key
from db.rubric import default_rubric
from db.session import Database
from db.settings import DatabaseSettings
from db.work import NewJob
from gradeline.client import Client
from gradeline.errors import ClientError
from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, free_port
from tests.tenants import new_tenant
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def await_true(what: str, true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"in vain waited for: {what}"
        time.sleep(0.05)


class Worker:
    """A worker's (or the API's) process, and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def said(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")

    @property
    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(errors="replace")
        return self.said("ready in ")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


class Line:
    """One PostgreSQL, one Valkey, and any workers. Every test has a model, and so queues, of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.prepare()
        (home.path / "tmp").mkdir(exist_ok=True)
        postgres.make_cluster(home)
        self.ports = free_port(), free_port()
        self.database_url = postgres.url(home, self.ports[0])
        self.redis_url = valkey.url(home, self.ports[1])
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        self.workers: list[Worker] = []
        self.start("postgres")
        self.start("valkey")
        self.database = Database(DatabaseSettings(database_url=self.database_url))
        migrate(self.database)

    def start(self, name: str) -> None:
        """A server; returns when it answers."""
        command = (
            postgres.command(self.home, self.ports[0])
            if name == "postgres"
            else valkey.command(self.home, self.ports[1])
        )
        with (self.home.logs / f"{name}.log").open("ab") as log:
            self.servers[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        await_true(name, self._database_answers if name == "postgres" else self._broker_answers)

    def kill(self, name: str) -> None:
        """kill -9 of a server, and with it of all its processes."""
        process = psutil.Process(self.servers[name].pid)
        every = [process, *process.children(recursive=True)]
        for each in every:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.servers[name].wait(30)
        psutil.wait_procs(every, 30)

    def _database_answers(self) -> bool:
        try:
            postgres.make_database(self.home, self.ports[0])
        except psycopg.OperationalError:
            return False
        return True

    def _broker_answers(self) -> bool:
        try:
            with self.broker() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def broker(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url, socket_timeout=5)

    def settings(self, model: str, **settings: object) -> WorkerSettings:
        return WorkerSettings(
            DATABASE_URL=self.database_url,
            REDIS_URL=self.redis_url,
            model=model,
            **settings,  # type: ignore[arg-type]
        )

    def environment(self, model: str, **settings: object) -> dict[str, str]:
        told = {f"GRADELINE_{name}".upper(): str(value) for name, value in settings.items()}
        return {
            **os.environ, "DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url, "GRADELINE_MODEL": model,
            "GRADELINE_HOME": str(self.home.path), "TMPDIR": str(self.home.path / "tmp"), "GRADELINE_ENGINE": "fake",
            "GRADELINE_FAKE_FAULTS": "true", "C_FORCE_ROOT": "1", "PYTHONPATH": str(ROOT), **told,
        }  # fmt: skip

    def worker(self, model: str, name: str = "w", **settings: object) -> Worker:
        """A worker with settings of its own; returns when a child is ready."""
        made = self._process(["worker", "--name", f"{name}-{model}"], self.environment(model, **settings))
        await_true(f"{name} is ready", lambda: made.ready)
        return made

    def api(self, model: str, **settings: object) -> Client:
        """The API with settings of its own, and a client of it."""
        write_admin_key(self.database, self.home.key_file)
        port = free_port()
        self._process(["api"], self.environment(model, host="127.0.0.1", port=port, **settings))
        client = Client(f"http://127.0.0.1:{port}", self.home.key_file.read_text().strip(), timeout=20)

        def answers() -> bool:
            try:
                return bool(client.submit("Is anybody there?"))
            except ClientError:
                return False

        await_true("the API", answers)
        return client

    def _process(self, module: Sequence[str], environment: dict[str, str]) -> Worker:
        log = self.home.logs / f"{module[0]}-{uuid.uuid4().hex}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", *module], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=ROOT,
            )  # fmt: skip
        made = Worker(process, log)
        self.workers.append(made)
        return made

    def submit(self, model: str, texts: Sequence[str], **fields: object) -> list[uuid.UUID]:
        """Queued jobs, as the API writes them; not dispatched yet."""
        with self.database.session() as session:
            tenant = new_tenant(session)
            rubric = default_rubric(session)
            return [
                jobs.submit(
                    session, tenant, rubric,
                    NewJob(text=text, model=model, device="any", priority="bulk", queue=f"{model}.any.bulk", **fields),  # type: ignore[arg-type]
                ).id
                for text in texts
            ]  # fmt: skip

    def dispatch(self, model: str, **settings: object) -> int:
        """What the API does after a commit."""
        told = self.settings(model, **settings)
        app = make_app(told)
        try:
            return Dispatch(self.database, app, told)([f"{model}.any.bulk"])
        finally:
            app.close()

    def jobs(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Job]:
        with self.database.session() as session:
            return {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}

    def states(self, ids: Sequence[uuid.UUID]) -> list[str]:
        found = self.jobs(ids)
        return [found[job].state for job in ids]

    def attempts(self, job: uuid.UUID) -> list[Attempt]:
        with self.database.session() as session:
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job).order_by(Attempt.number)))

    def results(self, ids: Sequence[uuid.UUID]) -> int:
        with self.database.session() as session:
            return session.scalar(select(func.count()).where(Result.job_id.in_(ids))) or 0

    def count(self, ids: Sequence[uuid.UUID], *states: str) -> int:
        with self.database.session() as session:
            among = select(func.count()).where(Job.id.in_(ids), Job.state.in_(states))
            return session.scalar(among) or 0

    def await_states(self, ids: Sequence[uuid.UUID], *states: str, seconds: float = PATIENCE_S) -> None:
        await_true(f"{len(ids)} jobs are {states}", lambda: self.count(ids, *states) == len(ids), seconds)

    def dismiss(self) -> None:
        """Ends the workers of a test."""
        for worker in self.workers:
            worker.end()
        self.workers.clear()

    def close(self) -> None:
        self.dismiss()
        self.database.close()
        self.servers["valkey"].terminate()
        self.servers["postgres"].send_signal(signal.SIGINT)
        for server in self.servers.values():
            server.wait(30)
