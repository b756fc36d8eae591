"""`python -m tests.storm.two_machines`: workers on another host, and the link between the hosts is cut in mid-batch.

Two network namespaces stand for two hosts, with a virtual cable. On one are PostgreSQL, Valkey (both behind TLS, with
passwords), the API and one worker; on the other two workers. The cable is taken down at one end, and in another round every
packet is dropped without a word, so that no host hears of it. Needs root and `ip`, `nft` for the second round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from db.migrate import write_admin_key
from db.session import Database
from db.settings import DatabaseSettings
from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, free_port

ROOT = Path(__file__).parents[2]
PATIENCE_S = 180.0
MODEL = "two-machines"
NEAR_IP, FAR_IP = "10.79.83.1", "10.79.83.2"
# Each worker grades about 20 texts a second, so that a batch lasts longer than a cut.
SLOW = {"GRADELINE_ENGINE": "fake", "GRADELINE_FAKE_MS": "50"}


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
    far_again_s: float
    done_s: float


def missing() -> str | None:
    """Why it can't be done here; None: it can."""
    if os.getuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            return f"there is no `{program}` here"
    done = subprocess.run(["ip", "netns", "add", name := f"probe{os.getpid()}"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None if done.returncode == 0 else "this system allows no network namespaces"


def await_true(what: str, true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"in vain waited for: {what}")
        time.sleep(0.1)


class Hosts:
    """Two namespaces and a cable; what runs in them ends with them."""

    def __init__(self, logs: Path) -> None:
        self.names = {"near": f"gl{os.getpid()}a", "far": f"gl{os.getpid()}b"}
        self.logs, self.running = logs, list[subprocess.Popen[bytes]]()
        ends = {"near": f"gv{os.getpid()}a", "far": f"gv{os.getpid()}b"}
        for name in self.names.values():
            _ip("netns", "add", name)
        near, far = self.names.values()
        _ip("link", "add", ends["near"], "netns", near, "type", "veth", "peer", "name", ends["far"], "netns", far)
        self.ends = ends
        for host, address in (("near", NEAR_IP), ("far", FAR_IP)):
            _ip("-n", self.names[host], "addr", "add", f"{address}/24", "dev", ends[host])
            _ip("-n", self.names[host], "link", "set", ends[host], "up")
            _ip("-n", self.names[host], "link", "set", "lo", "up")

    def run(self, host: str, command: Sequence[str], log: str, environment: dict[str, str]) -> None:
        # `ip netns exec` becomes the program: what is stopped is the program itself.
        with (self.logs / f"{log}.log").open("ab") as out:
            inside = ["ip", "netns", "exec", self.names[host], *command]
            self.running.append(subprocess.Popen(inside, stdout=out, stderr=out, cwd=ROOT, env=environment))

    @contextmanager
    def cut(self, how: str) -> Iterator[None]:
        near, end = self.names["near"], self.ends["near"]
        rules = "add table inet cut; add chain inet cut i { type filter hook input priority 0; };"
        rules += f"add rule inet cut i iifname {end} drop"
        begin, finish = {
            "down": (["ip", "-n", near, "link", "set", end, "down"], ["ip", "-n", near, "link", "set", end, "up"]),
            "silent": (
                ["ip", "netns", "exec", near, "nft", rules],
                ["ip", "netns", "exec", near, "nft", "delete table inet cut"],
            ),
        }[how]
        subprocess.run(begin, check=True, timeout=30)
        try:
            yield
        finally:
            subprocess.run(finish, check=True, timeout=30)

    def close(self) -> None:
        for process in reversed(self.running):
            # PostgreSQL's quick way out. A worker that can't reach its servers would wait for them.
            process.send_signal(2) if process is self.running[0] else process.kill()
            process.wait(30)
        for name in self.names.values():
            _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def in_host(name: str) -> Iterator[None]:
    """Moves this thread into a namespace: sockets that it makes are of that host."""
    with open("/proc/self/ns/net") as own, open(f"/run/netns/{name}") as other:  # noqa: PTH123 - descriptors are needed
        _setns(other.fileno())
        try:
            yield
        finally:
            _setns(own.fileno())


def _setns(descriptor: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0x40000000):
        raise OSError(ctypes.get_errno(), "this thread can't move to another network namespace")


class Field:
    """The servers and workers on both hosts, and a way to the database from the near one."""

    def __init__(self, folder: Path, far_workers: int = 2) -> None:
        from tests.tls import make_certificates

        self.home = Home(folder.resolve())
        self.home.prepare()
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
            "PYTHONPATH": str(ROOT), "GRADELINE_HOST": NEAR_IP, "GRADELINE_PORT": str(ports["api"]),
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
        await_true("the workers", lambda: self.one("SELECT count(*) FROM worker") == 1 + far_workers)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with in_host(self.hosts.names["near"]):
            with psycopg.connect(self.inside, autocommit=True, connect_timeout=5) as connection:
                return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def one(self, statement: str) -> int:
        return int(self.rows(statement)[0][0])  # type: ignore[call-overload]

    def submit(self, count: int) -> str:
        """A batch over HTTP, on the API's own host."""
        from gradeline.client import Client

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
        batch = self.submit(jobs)
        of = f"batch_id = '{batch}'"
        done = f"SELECT count(*) FROM job WHERE {of} AND state = 'succeeded'"
        far = f"SELECT count(*) FROM job WHERE {of} AND state = 'succeeded' AND worker LIKE 'far%'"
        await_true("a tenth is graded", lambda: self.one(done) >= jobs // 10 and self.one(far) > 0)
        with self.hosts.cut(how):
            time.sleep(cut_s)
            far_before = self.one(far)
        back = self.one("SELECT extract(epoch FROM now()) * 1000")
        final = f"SELECT count(*) FROM job WHERE {of} AND finished_at IS NOT NULL"
        await_true("all is graded", lambda: self.one(final) == jobs)
        since = f"extract(epoch FROM min(finished_at)) * 1000 - {back}"
        among = f"FROM job WHERE {of} AND worker LIKE 'far%' AND finished_at > to_timestamp({back} / 1000.0)"
        again = self.rows(f"SELECT {since} {among}")[0][0]
        last = self.rows(f"SELECT extract(epoch FROM max(finished_at)) * 1000 - {back} FROM job WHERE {of}")[0][0]
        attempt = f"FROM attempt JOIN job ON job.id = attempt.job_id WHERE job.{of}"
        twice = f"SELECT job_id {attempt} AND outcome = 'succeeded' GROUP BY job_id HAVING count(*) > 1"
        return Figures(
            how, cut_s, jobs, self.one(done), len(self.rows(twice)),
            self.one(f"SELECT count(*) {attempt} AND outcome NOT IN ('succeeded', 'running')"),
            far_before, self.one(far) - far_before,
            round(float(again) / 1000, 1) if again is not None else float("nan"),  # type: ignore[arg-type]
            round(float(last) / 1000, 1),  # type: ignore[arg-type]
        )  # fmt: skip

    def close(self) -> None:
        self.hosts.close()
        self.home.leave()


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
    with tempfile.TemporaryDirectory(prefix="two-machines-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with standing(Path(folder)) as field:
            found = [field.round(how, told.seconds, told.jobs) for how in ("down", "silent")]
    tell(found)
    if told.json:
        told.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
    sys.exit(any(each.succeeded != each.jobs or each.doubled for each in found))


def tell(found: Sequence[Figures]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*(name.replace("_", " ") for name in asdict(found[0])), header_style="bold")
    for each in found:
        table.add_row(*(str(value) for value in asdict(each).values()))
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
