"""Starting and stopping a stack, step by step."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradeline.client import Client
from gradeline.errors import ClientError, StackError
from gradeline.stack import leftovers, postgres
from gradeline.stack.answering import api_answers, broker_answers, database_answers, flower_answers
from gradeline.stack.control import Control, is_running
from gradeline.stack.home import Home, Ports, choose_ports
from gradeline.stack.plan import MARK, environment
from gradeline.stack.words import gist

POLL_S = 0.05
SERVERS_S, MIGRATE_S, READY_S, WORKERS_S, DOWN_S, QUIT_AGAIN_S = 60, 120, 60, 900, 60, 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What `gradeline up` was asked for."""

    workers: int = 1
    port: int = 5001
    flower_port: int | None = 5555
    detach: bool = False


def up(home: Home, wanted: Wanted, say: Say) -> subprocess.Popen[bytes]:
    """Starts a stack and returns when it grades. On a failure nothing is left running, and StackError says why."""
    home.prepare()
    if count := leftovers.end(home):
        say(f"ended {count} processes that an earlier stack had left behind")
    ports = choose_ports(home, wanted.port, wanted.flower_port)
    home.write(ports, wanted.workers, wanted.flower_port is not None)
    say("making the database's folder" if not home.postgres.exists() else "starting the servers")
    postgres.make_cluster(home)
    home.enter()
    try:
        supervisor = _supervise(home, wanted.detach)
        _bring_up(home, ports, wanted, supervisor, say)
    except BaseException:
        down(home)
        raise
    return supervisor


def _supervise(home: Home, detach: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gradeline.stack.supervisor", "--home", str(home.path)]
    with (home.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [*command, *([] if detach else ["--with-parent"])], env={**os.environ, MARK: str(home.path)},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _bring_up(home: Home, ports: Ports, wanted: Wanted, supervisor: subprocess.Popen[bytes], say: Say) -> None:
    alive = lambda: supervisor.poll() is None  # noqa: E731 - a name for a sentence
    await_true("the database", lambda: database_answers(home, ports), SERVERS_S, home, "postgres", alive)
    await_true("the broker", lambda: broker_answers(home, ports), SERVERS_S, home, "valkey", alive)
    say("preparing the schema")
    _migrate(home, ports)
    control = Control(home)
    try:
        for name in ("api", "worker-cpu", "hooks", *(["flower"] if wanted.flower_port is not None else [])):
            control.start(name)
    finally:
        control.close()
    say("starting the API and the workers (the first start of a model takes half a minute more)")
    await_true("the API", lambda: api_answers(ports), READY_S, home, "api", alive)
    if wanted.flower_port is not None:
        await_true("Flower", lambda: flower_answers(home, ports), READY_S, home, "flower", alive)
    await_workers(home, wanted.workers)


def await_true(
    what: str, true: Callable[[], bool], seconds: float, home: Home, log: str, alive: Callable[[], bool] = lambda: True
) -> None:
    """Waits for something. StackError ends with the last words of the log."""
    deadline = time.monotonic() + seconds
    while not true():
        if not alive():
            raise StackError(f"the supervisor ended while {what} was starting: {last_words(home, 'supervisor')}")
        if time.monotonic() > deadline:
            raise StackError(f"{what} did not answer in {seconds:.0f} s: {last_words(home, log)}")
        time.sleep(POLL_S)


def last_words(home: Home, name: str) -> str:
    """The end of a log, in one line, and where the rest is."""
    file = home.logs / f"{name}.log"
    try:
        lines = [gist(line) for line in file.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return f"{' | '.join(lines[-3:])[-600:] or 'it wrote nothing'} (see {file})"


def _migrate(home: Home, ports: Ports) -> None:
    command = [sys.executable, "-m", "db.migrate", "--key-file", str(home.key_file)]
    done = subprocess.run(
        command, env=environment(home, ports), capture_output=True, text=True, timeout=MIGRATE_S, check=False
    )
    if done.returncode:
        said = [gist(line) for line in done.stderr.splitlines() if line.strip()]
        raise StackError(f"the schema could not be prepared: {(said or ['no message'])[-1][:500]}")


def client_of(home: Home) -> Client:
    """A client of the home's stack, with its own key."""
    state = home.read()
    if not state or not home.key_file.exists():
        raise StackError(f"no stack has been started in {home.path} yet: `gradeline up` starts one")
    return Client(state["url"], home.key_file.read_text().strip())


def await_workers(home: Home, count: int) -> None:
    """Waits until exactly so many workers say that they are alive and hold their model."""
    with client_of(home) as client:

        def there() -> bool:
            try:
                return len(client.workers()) == count
            except ClientError:
                return False

        await_true(f"{count} worker{'s' if count != 1 else ''}", there, WORKERS_S, home, "worker-cpu")


def down(home: Home) -> bool:
    """Stops a stack in an orderly way: workers finish their chunk, the database last. False when none was running."""
    was = is_running(home)
    deadline = time.monotonic() + DOWN_S
    while is_running(home) and time.monotonic() < deadline:
        _ask_to_quit(home)
        await_quietly(lambda: not is_running(home), QUIT_AGAIN_S)
    ended = leftovers.end(home)
    home.leave()
    return bool(ended) or was


def _ask_to_quit(home: Home) -> None:
    control = Control(home)
    try:
        control.quit()
    except StackError:
        pass  # it does not listen yet, or is in the middle of a change: it is asked again
    finally:
        control.close()


def await_quietly(true: Callable[[], bool], seconds: float) -> bool:
    """Waits for something for a while; whether it came true."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return true()


def scale(home: Home, count: int) -> None:
    """More or fewer CPU workers on the running stack; returns when they are there, or gone."""
    if not is_running(home):
        raise StackError(f"no stack is running in {home.path}: `gradeline up` starts one")
    control = Control(home)
    try:
        control.scale("worker-cpu", count)
        if count:
            control.start("worker-cpu")  # a stack that came up without workers has not begun to keep any
    finally:
        control.close()
    state = home.read()
    home.write(Ports(**state["ports"]), count, state["flower"])
    await_workers(home, count)
    # Those that go finish their chunk first.
    await_quietly(lambda: len(processes(home).get("worker-cpu", [])) == count, DOWN_S)


def processes(home: Home) -> dict[str, list[int]]:
    """Processes by name; empty when nothing runs."""
    if not is_running(home):
        return {}
    control = Control(home)
    try:
        return control.pids()
    finally:
        control.close()


def addresses(home: Home) -> dict[str, Any]:
    """Where a person finds what."""
    state = home.read()
    flower = f"http://127.0.0.1:{state['ports']['flower']}" if state.get("flower") else None
    return {"api": state["url"], "docs": f"{state['url']}/docs", "flower": flower, "key": str(home.key_file)}


def samples_folder() -> Path:
    """The sample essays of the checkout."""
    folder = Path(__file__).resolve().parents[2] / "samples"
    if not (folder / "samples.json").exists():
        raise StackError("the sample essays come with the checkout, not with the installed package")
    return folder
