"""`python -m tests.storm.two_machines`: workers on another host, and the link between the hosts is cut in mid-batch.

Two network namespaces stand for two hosts, with a virtual cable. On one are PostgreSQL, Valkey (both behind TLS, with
passwords), the API and one worker; on the other two workers. The cable is taken down at one end, and in another round every
packet is dropped without a word, so that no host hears of it. Needs root and `ip`, `nft` for the second round.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from db.migrate import write_admin_key
from db.session import Database
from db.settings import DatabaseSettings
from gradeline.client import Client
from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, free_port
from tests.storm.hosts import NEAR_IP, ROOT, Hosts, in_host, missing
from tests.tls import make_certificates

PATIENCE_S = 180.0
MODEL = "two-machines"
# Each worker grades about 20 texts a second, so that a batch lasts longer than a cut.
SLOW = {"GRADELINE_ENGINE": "fake", "GRADELINE_FAKE_MS": "50"}

# Of a batch: how many are graded, by far workers too, and ended; the seconds from a moment to the first end after it on a far
# worker, and to the last of all.
JOBS = """
SELECT count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'succeeded' AND worker LIKE 'far%%'),
       count(finished_at),
       extract(epoch FROM min(finished_at) FILTER (WHERE worker LIKE 'far%%' AND finished_at > %(since)s) - %(since)s),
       extract(epoch FROM max(finished_at) - %(since)s)
FROM job WHERE batch_id = %(batch)s
"""
# Of its attempts: those that were lost or handed back, and those that succeeded beyond one a job.
ATTEMPTS = """
SELECT count(*) FILTER (WHERE a.outcome NOT IN ('succeeded', 'running')),
       count(*) FILTER (WHERE a.outcome = 'succeeded') - count(DISTINCT a.job_id) FILTER (WHERE a.outcome = 'succeeded')
FROM attempt a JOIN job j ON j.id = a.job_id WHERE j.batch_id = %(batch)s
"""


@dataclass(frozen=True)
class Figures:
    """What became of one batch; seconds from the moment when the link was back."""

    cut: str
    cut_s: float
    jobs: int
    succeeded: int
    doubled: int
    lost_attempts: int
    far_before: int
    far_after: int
    far_again_s: float | None
    done_s: float


def await_true(what: str, true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"in vain waited for: {what}")
        time.sleep(0.1)


class Field:
    """The servers and workers on both hosts, and a way to the database from the near one."""

    def __init__(self, folder: Path, far_workers: int = 2) -> None:
        self.home = Home(folder.resolve())
        self.home.prepare()
        (self.home.path / "tmp").mkdir()
        postgres.make_cluster(self.home)
        self.hosts = Hosts(self.home.logs)
        self.ports = {name: free_port() for name in ("postgres", "valkey", "api", "postgres-tls", "valkey-tls")}
        self.certificates = make_certificates(self.home.path, NEAR_IP)
        self.home.path.chmod(0o711)
        try:
            self._servers()
            self._programs(far_workers)
        except BaseException:
            self.close()
            raise

    @property
    def inside(self) -> str:
        return postgres.url(self.home, self.ports["postgres"])

    def environment(self) -> dict[str, str]:
        password = {name: self.home.secret(name) for name in ("postgres", "valkey")}
        ca, ports = self.certificates.ca, self.ports
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GRADELINE_")},
            **SLOW, "GRADELINE_MODEL": MODEL, "GRADELINE_HOME": str(self.home.path), "C_FORCE_ROOT": "1",
            "PYTHONPATH": str(ROOT), "TMPDIR": str(self.home.path / "tmp"),
            "GRADELINE_HOST": NEAR_IP, "GRADELINE_PORT": str(ports["api"]),
            "DATABASE_URL": f"postgresql://gradeline:{password['postgres']}@{NEAR_IP}:{ports['postgres-tls']}/gradeline"
                            f"?sslmode=verify-full&sslrootcert={ca}",
            "REDIS_URL": f"rediss://:{password['valkey']}@{NEAR_IP}:{ports['valkey-tls']}/0?ssl_ca_certs={ca}",
        }  # fmt: skip

    def _servers(self) -> None:
        bare = dict(os.environ)
        self.hosts.run("near", postgres.command(self.home, self.ports["postgres"]), "postgres", bare)
        self.hosts.run("near", valkey.command(self.home, self.ports["valkey"]), "valkey", bare)
        for name in ("postgres", "valkey"):
            front = [sys.executable, "-m", "tests.tls", "--listen", f"{NEAR_IP}:{self.ports[f'{name}-tls']}"]
            front += ["--to", f"127.0.0.1:{self.ports[name]}", "--certificate", str(self.certificates.server)]
            front += ["--postgres"] if name == "postgres" else []
            self.hosts.run("near", front, f"{name}-tls", {**bare, "PYTHONPATH": str(ROOT)})
        await_true("PostgreSQL", self._answers)
        subprocess.run(
            ["ip", "netns", "exec", self.hosts.names["near"], sys.executable, "-m", "db.migrate"],
            env={**self.environment(), "DATABASE_URL": self.inside}, cwd=ROOT, check=True, timeout=120,
            capture_output=True,
        )  # fmt: skip

    def _answers(self) -> bool:
        with in_host(self.hosts.names["near"]):
            try:
                postgres.make_database(self.home, self.ports["postgres"])
            except psycopg.OperationalError:
                return False
        return True

    def _programs(self, far_workers: int) -> None:
        self.hosts.run("near", [sys.executable, "-m", "api"], "api", self.environment())
        for host, count in (("near", 1), ("far", far_workers)):
            for n in range(count):
                worker = [sys.executable, "-m", "worker", "--name", f"{host}-{n}"]
                self.hosts.run(host, worker, f"{host}-{n}", self.environment())
        # Rows, not logs: what a worker says of itself has come over the cable.
        await_true("the workers", lambda: self.row("SELECT count(*) FROM worker") == (1 + far_workers,))

    def row(self, statement: str, **values: object) -> tuple[Any, ...]:
        """One row, on the database's own host. A busy machine is asked again for a minute."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with in_host(self.hosts.names["near"]):
                    with psycopg.connect(self.inside, autocommit=True, connect_timeout=10) as connection:
                        return connection.execute(statement, values).fetchone() or ()  # type: ignore[arg-type]
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise

    def submit(self, count: int) -> str:
        """A batch over HTTP, on the API's own host."""
        with in_host(self.hosts.names["near"]):
            database = Database(DatabaseSettings(database_url=self.inside))
            write_admin_key(database, self.home.key_file)
            database.close()
            url = f"http://{NEAR_IP}:{self.ports['api']}"
            with Client(url, self.home.key_file.read_text().strip(), timeout=30) as client:
                texts = [{"text": f"A text that another machine grades, {n}, {time.time_ns()}."} for n in range(count)]
                return str(client.submit_batch(texts)["id"])

    def round(self, how: str, cut_s: float, jobs: int) -> Figures:
        """One batch, with one cut when a tenth of it is graded."""
        batch, (began,) = self.submit(jobs), self.row("SELECT now()")

        def now(since: datetime = began) -> tuple[Any, ...]:
            return self.row(JOBS, batch=batch, since=since)

        await_true("a tenth is graded", lambda: now()[0] >= jobs // 10 and now()[1] > 0)
        with self.hosts.cut(how):
            time.sleep(cut_s)
            far_before = now()[1]
        (back,) = self.row("SELECT now()")
        await_true("all is graded", lambda: now()[2] == jobs)
        succeeded, far, _, again_s, done_s = now(back)
        lost, doubled = self.row(ATTEMPTS, batch=batch)
        far_again_s = round(float(again_s), 1) if again_s is not None else None
        return Figures(
            how,
            cut_s,
            jobs,
            succeeded,
            doubled,
            lost,
            far_before,
            far - far_before,
            far_again_s,
            round(float(done_s), 1),
        )

    def close(self) -> None:
        self.hosts.close()


@contextmanager
def standing(folder: Path) -> Iterator[Field]:
    field = Field(folder)
    try:
        yield field
    finally:
        field.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.storm.two_machines", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long the link is cut")
    parser.add_argument("--jobs", type=int, default=1600, help="of each batch")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    told = parser.parse_args()
    if why := missing():
        sys.exit(f"not done: {why}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the hosts must not outlast this
    with tempfile.TemporaryDirectory(prefix="two-machines-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with standing(Path(folder)) as field:
            found = [field.round(how, told.seconds, told.jobs) for how in ("down", "silent")]
    tell(found)
    if told.json:
        told.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    sys.exit(any(each.succeeded != each.jobs or each.doubled for each in found))


def tell(found: Sequence[Figures]) -> None:
    table = Table(*(name.replace("_", " ") for name in asdict(found[0])), header_style="bold")
    for each in found:
        table.add_row(*(str(value) for value in asdict(each).values()))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
