"""A managed PostgreSQL and a managed Valkey: TLS, users with few rights, Sentinels; the whole line works with them."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis

from broker import check
from broker.address import client_of
from gradeline.stack import valkey
from gradeline.stack.home import Home, free_port
from tests.integration.line import ROOT, Line, await_true
from tests.tls import fronted, make_certificates


@pytest.fixture
def managed(line: Line, tmp_path: Path) -> Iterator[redis.Redis]:
    """The line's servers behind TLS, by users who have the documented rights alone; their own administrator."""
    certificates, before = make_certificates(tmp_path, "localhost"), (line.database_url, line.redis_url)
    with psycopg.connect(line.database_url, autocommit=True) as owner, ExitStack() as fronts, line.broker() as admin:
        owner.execute("CREATE ROLE grader LOGIN PASSWORD 'secret'")
        owner.execute(check.grants("grader"))
        admin.execute_command(*check.acl("grader").replace("PASSWORD", "secret").split())
        admin.execute_command("ACL", "LOG", "RESET")
        ports = [
            fronts.enter_context(fronted(port, certificates.server, postgres))
            for port, postgres in zip(line.ports, (True, False), strict=True)
        ]
        tls = f"sslmode=verify-full&sslrootcert={certificates.ca}"
        line.database_url = f"postgresql://grader:secret@localhost:{ports[0]}/gradeline?{tls}"
        line.redis_url = f"rediss://grader:secret@localhost:{ports[1]}/0?ssl_ca_certs={certificates.ca}"
        yield admin
        line.dismiss()
        line.database_url, line.redis_url = before
        owner.execute("DROP OWNED BY grader; DROP ROLE grader")
        admin.execute_command("ACL", "DELUSER", "grader")


def test_everything_works_over_tls_with_the_documented_rights_alone(line, managed, model):
    line.worker(model, visibility_s=1, fake_chunk_ms=1500, chunk_bulk_s=30)  # messages are restored, too
    hooks = line._process(["api.hooks"], line.environment(model))
    await_true("the sender of webhooks", lambda: hooks.said(" ready."))
    with line.api(model) as api:
        batch = api.submit_batch([{"text": f"A text for a managed database, {n}."} for n in range(40)])
        await_true("the batch is graded", lambda: api.batch(batch["id"])["state"] == "finished")
        assert api.batch(batch["id"])["counts"]["succeeded"] == 40
    environment = line.environment(model)
    ping = [sys.executable, "-m", "celery", "-A", "broker.app", "inspect", "ping", "--timeout", "10"]
    done = subprocess.run(ping, env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert "pong" in done.stdout, done.stdout + done.stderr
    denied = managed.execute_command("ACL", "LOG")
    assert denied == []


def test_a_worker_that_may_not_read_its_queue_says_so(line, managed, model):
    managed.execute_command("ACL", "SETUSER", "grader", "-brpop")
    worker = line._process(["worker", "--name", "w"], line.environment(model))
    await_true("it says what is missing", lambda: worker.said("brpop") and worker.said("check --acl USER"))


class Watched:
    """A Valkey, a replica of it, and a Sentinel that knows both."""

    def __init__(self, home: Home) -> None:
        self.home, self.ports = home, [free_port() for _ in range(3)]
        self.password = home.secret("valkey")
        self.processes = [self._server(n) for n in (0, 1)]
        body = (
            f"port {self.ports[2]}\ndir {home.path}\nsentinel monitor grades 127.0.0.1 {self.ports[0]} 1\n"
            f"sentinel auth-pass grades {self.password}\nsentinel down-after-milliseconds grades 1000\n"
            f"sentinel failover-timeout grades 3000\nrequirepass watching\n"
        )
        (home.path / "sentinel.conf").write_text(body)
        self.processes.append(self._run([str(valkey.program()), str(home.path / "sentinel.conf"), "--sentinel"]))

    def _server(self, n: int) -> subprocess.Popen[bytes]:
        folder = self.home.path / f"data{n}"
        folder.mkdir()
        options = f"--port {self.ports[n]} --bind 127.0.0.1 --requirepass {self.password} --masterauth {self.password}"
        follows = f"--replicaof 127.0.0.1 {self.ports[0]}" if n else ""
        return self._run(
            [str(valkey.program()), "--dir", str(folder), "--save", "", *options.split(), *follows.split()]
        )

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.home.path / "watched.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def url(self) -> str:
        return f"sentinel://:{self.password}@127.0.0.1:{self.ports[2]}/0"

    def replicated(self) -> bool:
        try:
            with redis.Redis(port=self.ports[2], password="watching", socket_timeout=5) as client:
                return len(client.sentinel_slaves("grades")) == 1
        except redis.RedisError:
            return False

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(30)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    started = Watched(Home(tmp_path.resolve()))
    try:
        yield started
    finally:
        started.close()


def test_work_goes_on_when_the_sentinels_choose_another_master(line, watched, model, monkeypatch):
    await_true("the Sentinel knows the replica", watched.replicated)
    told = {"redis_master": "grades", "redis_sentinel_password": "watching"}
    monkeypatch.setattr(line, "redis_url", watched.url)
    line.worker(model, **told)
    first = line.submit(model, ["A text before the master is lost."])
    line.await_states(first, "succeeded")
    watched.processes[0].kill()
    second = line.submit(model, [f"A text after that, {uuid.uuid4()}."])
    line.await_states(second, "succeeded")
    settings = line.settings(model, **told)
    with client_of(settings, 5) as client:
        assert client.connection_pool.get_master_address() == ("127.0.0.1", watched.ports[1])
        assert client.ping()
        client.connection_pool.sentinel_manager.close()
