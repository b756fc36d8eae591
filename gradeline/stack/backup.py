"""Backups of the embedded database: pg_dump and pg_restore from the wheel, and nothing half-done under a final name."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from gradeline.errors import StackError
from gradeline.stack import leftovers, postgres
from gradeline.stack.control import is_running
from gradeline.stack.home import Home, Ports, free_port
from gradeline.stack.launch import MIGRATE_S, Say, await_true, last_words
from gradeline.stack.plan import MARK, environment

SERVER_S, STOP_S, DUMP_S = 60, 60, 6 * 3600
CURRENT, FRESH, REPLACED = "gradeline", postgres.FRESH, postgres.REPLACED


def backup(home: Home, file: Path, say: Say) -> str:
    """Writes the whole database to a file that only its owner reads; returns what it holds, in a few words.

    While a stack runs, it goes on: what is written is one moment of it. The file gets its name when it is complete.
    """
    if not (home.postgres / "PG_VERSION").exists():
        raise StackError(f"there is no database in {home.path} yet: `gradeline up` makes one")
    part = file.with_name(f".{file.name}.part")
    with serving(home) as port, _alone(part) as handle:
        revision = _revision(home, port, CURRENT)
        if revision is None:
            raise StackError(f"the database in {home.path} was never made ready: `gradeline up` does that")
        say("writing the backup")
        # It holds the lock too: a dump that goes on after its command was killed can't be overtaken by the next one.
        _run(home, "pg_dump", port, CURRENT, "--format=custom", f"--file={part}", pass_fds=(handle,))
        os.fsync(handle)
        part.replace(file)
    return f"schema {revision}, {file.stat().st_size / 2**20:.1f} MB"


def restore(home: Home, file: Path, say: Say) -> str:
    """Puts a backup in the place of the home's database; returns what it holds, in a few words.

    It is filled and brought to this version's schema beside the one in use, and they change names in one transaction:
    whatever ends this before, the old database stays. Refused while a stack runs.
    """
    if is_running(home):
        raise StackError(f"a stack is running in {home.path}: `gradeline down` first, then restore")
    if not file.is_file():
        raise StackError(f"there is no file {file}")
    home.prepare()
    postgres.make_cluster(home)
    with serving(home) as port:
        postgres.make_database(home, port)  # which also takes away what an earlier restore left
        _in(home, port, "postgres", f"CREATE DATABASE {FRESH}")
        say("reading the backup")
        _run(home, "pg_restore", port, FRESH, "--exit-on-error", str(file))
        old = _revision(home, port, FRESH)
        if old is None:
            raise StackError(f"{file} is a backup of another program's database")
        say("bringing it to this version's schema")
        _migrate(home, port)
        _in(home, port, FRESH, "ANALYZE")
        held = _holds(home, port)
        say("putting it in the place of the old one")
        _swap(home, port)
        return f"{held}, schema {old}{_with_key(home, port)}"


@contextmanager
def serving(home: Home) -> Iterator[int]:
    """The port of the home's PostgreSQL: that of the stack that runs, or a server that runs for as long as this."""
    if is_running(home):
        yield int(home.read()["ports"]["postgres"])
        return
    with home.lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # so that no stack starts meanwhile
        except BlockingIOError as error:
            raise StackError(f"a stack is starting in {home.path}: try again when it runs") from error
        leftovers.end(home)
        port = free_port()
        with (home.logs / "postgres.log").open("ab") as log:
            server = subprocess.Popen(
                postgres.command(home, port), env={**os.environ, MARK: str(home.path)}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd="/", start_new_session=True,
            )  # fmt: skip
        try:
            await_true("the database", lambda: _answers(home, port), SERVER_S, home, "postgres", _lives(server, home))
            yield port
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(STOP_S)


def _lives(server: subprocess.Popen[bytes], home: Home) -> Callable[[], bool]:
    def lives() -> bool:
        if server.poll() is not None:
            raise StackError(f"the database did not start: {last_words(home, 'postgres')}")
        return True

    return lives


def _answers(home: Home, port: int) -> bool:
    try:
        _in(home, port, "postgres", "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _alone(part: Path) -> Iterator[int]:
    """The unfinished file, open and locked. It goes when something is in the way; a kill leaves it to the next backup."""
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StackError(f"can't write to {part.parent}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise StackError(f"another backup is being written to {part.parent}; wait for its end") from error
    try:
        yield handle
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def _run(home: Home, program: str, port: int, database: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
    """pg_dump or pg_restore. The password goes by the environment: arguments can be read by everybody."""
    command = [
        str(postgres.programs() / program), "--host=127.0.0.1", f"--port={port}", f"--username={postgres.USER}",
        f"--dbname={database}", "--no-password", "--no-owner", "--no-privileges", *arguments,
    ]  # fmt: skip
    env = {**os.environ, "PGPASSWORD": home.secret("postgres"), "LC_ALL": "C"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=DUMP_S, check=False, pass_fds=pass_fds
    )
    if done.returncode:
        # Its later lines may quote a row.
        said = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise StackError(f"{program} failed, and nothing was changed: {said[:300]}")


def _migrate(home: Home, port: int) -> None:
    """Brings the fresh database to the schema of this version; one of a later version is refused here."""
    ports = replace(Ports(**home.read().get("ports", {})), postgres=port)
    env = {**environment(home, ports), "DATABASE_URL": postgres.url(home, port, FRESH)}
    command = [sys.executable, "-m", "db.migrate"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=MIGRATE_S, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StackError(f"this version can't use the backup, and nothing was changed: {said[:300]}")


def _swap(home: Home, port: int) -> None:
    with closing(psycopg.connect(postgres.url(home, port, "postgres"), connect_timeout=5)) as connection:
        with connection.transaction():
            connection.execute(f"ALTER DATABASE {CURRENT} RENAME TO {REPLACED}")
            connection.execute(f"ALTER DATABASE {FRESH} RENAME TO {CURRENT}")
    _in(home, port, "postgres", f"DROP DATABASE {REPLACED}")


def _with_key(home: Home, port: int) -> str:
    """A key file that the restored database does not know goes: the next start makes a new key."""
    if not home.key_file.exists():
        return ""
    prefix = home.key_file.read_text().split("_")[1:2]
    if _in(home, port, CURRENT, "SELECT 1 FROM api_key WHERE prefix = ANY(%s)", prefix):
        return ""
    home.key_file.unlink()
    return "; the key of this home is not in it, so the next `gradeline up` makes a new one"


def _revision(home: Home, port: int, database: str) -> str | None:
    """The schema's revision; None where none was ever made."""
    try:
        rows = _in(home, port, database, "SELECT version_num FROM alembic_version")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidCatalogName):
        return None
    except psycopg.OperationalError as error:
        raise StackError(f"the database can't be read: {str(error).strip().splitlines()[-1]}") from error
    return str(rows[0][0]) if rows else None


def _holds(home: Home, port: int) -> str:
    jobs, tenants = _in(home, port, FRESH, "SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM tenant)")[0]
    return f"{jobs} job{'' if jobs == 1 else 's'} of {tenants} tenant{'' if tenants == 1 else 's'}"


def _in(home: Home, port: int, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of one statement, in a transaction of its own."""
    url = postgres.url(home, port, database)
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=5)) as connection:
        done = connection.execute(statement, values)
        return list(done.fetchall()) if done.description else []
