"""A backup is whole or not there; a restore happens or leaves everything as it was, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import psycopg
import pytest

from gradeline.stack import backup, leftovers, postgres
from gradeline.stack.home import Home, free_port
from tests.integration.conftest import Stack
from tests.waiting import until as until_within

FAKE = {**os.environ, "GRADELINE_ENGINE": "fake"}
pytestmark = pytest.mark.stack
COMMAND = [sys.executable, "-c", "from gradeline.cli import main; main()"]
until = partial(until_within, seconds=60)


def up(stack: Stack) -> None:
    stack.command("up", "--detach", "--port", str(free_port()), "--no-flower", env=FAKE)


def texts_of(home: Home) -> list[str]:
    """What students handed in, as the database has it. The stack is down."""
    with backup.serving(home) as port, psycopg.connect(postgres.url(home, port)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM submission ORDER BY id")]


def add(home: Home, *texts: str) -> None:
    with backup.serving(home) as port, psycopg.connect(postgres.url(home, port)) as connection:
        for text in texts:
            connection.execute(
                "INSERT INTO submission (id, tenant_id, text) SELECT uuidv7(), id, %s FROM tenant", (text,)
            )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("gradeline: ")
    return line


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home whose stack has graded and is down, and a backup that was written while it ran."""
    stack = Stack(Home(Path(tmp_path_factory.mktemp("backup") / "home").resolve()))
    file = stack.home.path.parent / "kept.backup"
    try:
        up(stack)
        with stack.client() as client:
            job = client.submit("An essay that must outlive its database.")
            client.wait_for([job["id"]], seconds=120)
        said = stack.command("backup", str(file)).stdout
        assert "schema" in said and file.name in said
        refused = stack.command("restore", str(file), "--yes", check=False)
        assert "gradeline down" in one_line(refused)
        stack.command("down")
        yield stack, file, job["id"]
    finally:
        stack.command("down", check=False)
        assert leftovers.find(stack.home) == []


@pytest.fixture
def home(made):
    return made[0].home


@pytest.fixture
def file(made):
    return made[1]


def test_a_backup_is_read_by_its_owner_alone_and_leaves_nothing_else(file):
    assert file.stat().st_mode & 0o777 == 0o600
    assert [f.name for f in file.parent.iterdir() if f.name.endswith(".part")] == []


def test_a_restore_brings_back_what_the_backup_held_and_no_more(made, home, file):
    add(home, "Handed in after the backup.")
    said = made[0].command("restore", str(file), "--yes").stdout
    assert "1 job of" in said
    assert texts_of(home) == ["An essay that must outlive its database."]
    assert leftovers.find(home) == []


def test_a_backup_can_be_served_by_another_home_with_a_key_of_its_own(made, file, tmp_path):
    other = Stack(Home((tmp_path / "other").resolve()))
    try:
        other.command("restore", str(file), "--yes")
        up(other)
        with other.client() as client:
            assert client.get(made[2])["state"] == "succeeded"
            again = client.submit("And the next essay is graded as ever.")
            assert client.wait_for([again["id"]], seconds=120)[again["id"]]["state"] == "succeeded"
    finally:
        other.command("down", check=False)


def test_a_stack_that_is_down_is_backed_up_too(home, made, tmp_path):
    file = tmp_path / "cold.backup"
    assert "schema" in made[0].command("backup", str(file)).stdout
    assert file.stat().st_size > 1000 and leftovers.find(home) == []


@pytest.mark.parametrize("body", [b"", b"no backup at all", None])
def test_what_is_no_backup_or_only_half_of_one_changes_nothing(made, home, file, tmp_path, body):
    wrong = tmp_path / "wrong.backup"
    wrong.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if body is None else body)
    before = texts_of(home)
    assert "nothing was changed" in one_line(made[0].command("restore", str(wrong), "--yes", check=False))
    assert texts_of(home) == before and databases(home) == {"gradeline"}


def test_a_backup_of_a_later_version_is_refused_and_changes_nothing(made, home, file, tmp_path):
    later = tmp_path / "later.backup"
    set_revision(home, "9999")
    made[0].command("backup", str(later))
    made[0].command("restore", str(file), "--yes")
    before = texts_of(home)
    assert "nothing was changed" in one_line(made[0].command("restore", str(later), "--yes", check=False))
    assert texts_of(home) == before


def test_a_file_that_is_missing_and_a_home_without_a_database_are_one_clear_line(made, tmp_path):
    assert "no file" in one_line(made[0].command("restore", str(tmp_path / "none"), "--yes", check=False))
    empty = Stack(Home((tmp_path / "empty").resolve()))
    assert "gradeline up" in one_line(empty.command("backup", str(tmp_path / "x"), check=False))


def test_a_backup_that_is_killed_leaves_the_last_one_and_the_next_is_whole(made, home, tmp_path):
    """The dump waits for a lock when the command is killed: it is in the middle of it, however fast the machine is."""
    file = tmp_path / "killed.backup"
    made[0].command("backup", str(file))
    before = file.read_bytes()
    with backup.serving(home) as port:  # a server of ours, so that it outlives the command
        with psycopg.connect(postgres.url(home, port)) as blocker:
            blocker.execute("LOCK TABLE submission IN ACCESS EXCLUSIVE MODE")
            code = "from tests.integration.test_backup import dump; dump()"
            command = [sys.executable, "-c", code, str(home.path), str(port), str(file)]
            killed = subprocess.Popen(command, start_new_session=True)
            part = file.with_name(f".{file.name}.part")
            until(lambda: waits_for_lock(home, port))
            assert part.exists()
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait(30)
        assert file.read_bytes() == before
    until(lambda: leftovers.find(home) == [])
    assert "schema" in made[0].command("backup", str(file)).stdout
    assert not part.exists() and file.stat().st_size > 1000


def dump() -> None:
    """`gradeline backup`, on a server that runs already."""
    home, port, file = sys.argv[1:]
    backup.serving = lambda _: nullcontext(int(port))
    backup.backup(Home(Path(home)), Path(file), lambda _: None)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0, 3.0, 4.0])
def test_a_restore_that_is_killed_at_any_time_leaves_one_whole_database(made, home, file, seconds):
    """With kill -9, at moments that fall into its steps: the old database, or all of the new one."""
    add(home, "Here before the restore.")
    old, new = texts_of(home), ["An essay that must outlive its database."]
    killed = subprocess.Popen(
        [*COMMAND, "restore", str(file), "--yes", "--home", str(home.path)], stdout=subprocess.DEVNULL
    )
    time.sleep(seconds)
    killed.kill()
    killed.wait(30)
    assert texts_of(home) in (old, new)
    made[0].command("restore", str(file), "--yes")
    assert texts_of(home) == new and databases(home) == {"gradeline"}


def set_revision(home: Home, revision: str) -> None:
    with backup.serving(home) as port, psycopg.connect(postgres.url(home, port)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))


def databases(home: Home) -> set[str]:
    with backup.serving(home) as port:
        postgres.make_database(home, port)
        with psycopg.connect(postgres.url(home, port)) as connection:
            found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'gradeline%'").fetchall()
    return {name for (name,) in found}


def waits_for_lock(home: Home, port: int) -> bool:
    with psycopg.connect(postgres.url(home, port, "postgres")) as connection:
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%ACCESS SHARE%'"
        )
        return connection.execute(waiting).fetchone() is not None
