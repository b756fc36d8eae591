"""What can go wrong, each as a function: it does the harm, undoes what must be undone, and says what it was."""

from __future__ import annotations

import contextlib
import json
import random
import time
import uuid
from collections.abc import Callable, Sequence

import psutil
from psycopg.conninfo import conninfo_to_dict

from gradeline.errors import StackError
from gradeline.stack import launch
from tests.storm.ground import Ground

Fault = Callable[[Ground, random.Random], str]
FIND_S, BUSY_S = 30.0, 5.0
COPIES = 20


class NotDone(Exception):
    """Raised when there was nothing to do harm to."""


def kill_a_child(ground: Ground, rng: random.Random) -> str:
    return _kill(ground, rng, lambda: ground.children("worker"), "a worker's child")


def kill_a_worker(ground: Ground, rng: random.Random) -> str:
    return _kill(ground, rng, lambda: ground.named("worker"), "a worker's parent")


def kill_an_api_process(ground: Ground, rng: random.Random) -> str:
    return _kill(ground, rng, lambda: ground.children("api"), "a process of the API")


def kill_the_api(ground: Ground, rng: random.Random) -> str:
    return _kill(ground, rng, lambda: ground.named("api"), "the API's parent")


def kill_postgres(ground: Ground, rng: random.Random) -> str:
    return _keep_dead(ground, "postgres", rng.uniform(0, 5))


def kill_valkey(ground: Ground, rng: random.Random) -> str:
    return _keep_dead(ground, "valkey", rng.uniform(0, 5))


def freeze_valkey(ground: Ground, rng: random.Random) -> str:
    return _freeze(ground, rng, lambda: ground.named("valkey"), rng.uniform(2, 7), "Valkey")


def freeze_a_child(ground: Ground, rng: random.Random) -> str:
    """It wakes after its lease and writes what others have graded meanwhile."""
    return _freeze(ground, rng, lambda: ground.children("worker"), 1.6 * ground.lease_s + 1, "a worker's child")


def freeze_a_worker(ground: Ground, rng: random.Random) -> str:
    return _freeze(ground, rng, lambda: ground.named("worker"), rng.uniform(3, 10), "a worker's parent")


def empty_valkey(ground: Ground, rng: random.Random) -> str:
    lost = ground.messages()
    with ground.broker() as client:
        client.flushall()
    return f"FLUSHALL with {lost} messages"


def drop_broker_connections(ground: Ground, rng: random.Random) -> str:
    with ground.broker() as client:
        return f"{client.client_kill_filter(_type='normal', skipme=True)} connections to Valkey cut"


def drop_database_connections(ground: Ground, rng: random.Random) -> str:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    ended = ground.query(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")  # noqa: S608
    return f"{ended[0][0]} connections to PostgreSQL ended"


def deliver_twice(ground: Ground, rng: random.Random) -> str:
    """Copies of waiting messages, and of those that a worker has in hand: what a visibility timeout does."""
    copies, deadline, queues = 0, time.monotonic() + FIND_S, ground.queues()
    while copies < COPIES and time.monotonic() < deadline:
        with ground.broker() as client:
            found = [(name, each) for name in queues for each in client.lrange(f"gradeline:{name}", 0, -1)]
            for entry in client.hvals("gradeline:unacked"):
                message, _, name = json.loads(entry)
                found.append((name, json.dumps(message).encode()))
            for name, message in rng.sample(found, min(len(found), 5)):
                client.lpush(f"gradeline:{name}", _copy(message) if rng.random() < 0.5 else message)
                copies += 1
        time.sleep(0.1)
    if not copies:
        raise NotDone("no message was there")
    return f"{copies} messages delivered twice"


def hold_dispatch(ground: Ground, rng: random.Random) -> str:
    seconds = rng.uniform(2, 6)
    with ground.transaction() as connection:
        for name in ground.queues():
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('gradeline dispatch ' || %s, 0))", (name,)
            )
        connection.execute("SELECT pg_sleep(%s)", (seconds,))
    return f"dispatch held up for {seconds:.1f} s"


def delay_commits(ground: Ground, rng: random.Random) -> str:
    """Rows that others want to write, or the whole table, are somebody else's for a while."""
    seconds, whole = rng.uniform(1, 4), rng.random() < 0.5
    with ground.transaction() as connection:
        if whole:
            connection.execute("LOCK TABLE job IN SHARE ROW EXCLUSIVE MODE")
            what = "all writes of jobs"
        else:
            # In the order in which everything locks rows: this is a delay, not a deadlock.
            mine = connection.execute(
                "SELECT id FROM job WHERE state IN ('queued', 'running') ORDER BY id LIMIT 200 FOR UPDATE SKIP LOCKED"
            )
            what = f"writes of {len(mine.fetchall())} jobs"
        connection.execute("SELECT pg_sleep(%s)", (seconds,))
    return f"{what} held up for {seconds:.1f} s"


def stop_a_worker(ground: Ground, rng: random.Random) -> str:
    """In an orderly way, in the middle of what it does."""
    victim = _one(ground, rng, lambda: ground.named("worker"))
    ended = _family(victim)
    victim.terminate()
    await_end(ground, ended)
    return f"SIGTERM to a worker ({victim.pid})"


def scale_down_and_up(ground: Ground, rng: random.Random) -> str:
    for count in (ground.workers - 1, ground.workers):
        _patiently(lambda count=count: launch.scale(ground.home, count))
    return f"scaled to {ground.workers - 1} workers and back"


KINDS: tuple[Fault, ...] = (
    kill_a_child, kill_a_worker, kill_an_api_process, kill_the_api, kill_postgres, kill_valkey, freeze_valkey,
    freeze_a_child, freeze_a_worker, empty_valkey, drop_broker_connections, drop_database_connections, deliver_twice,
    hold_dispatch, delay_commits, stop_a_worker, scale_down_and_up,
)  # fmt: skip


def _one(ground: Ground, rng: random.Random, who: Callable[[], list[psutil.Process]]) -> psutil.Process:
    """One of them; of workers, one that holds jobs now, if any does so soon: harm to an idle one proves little."""
    began = time.monotonic()
    while True:
        found = sorted(who(), key=lambda p: p.pid)
        busy = [p for p in found if _has_work(ground, p)]
        if busy or (found and time.monotonic() > began + BUSY_S):
            return rng.choice(busy or found)
        if time.monotonic() > began + FIND_S:
            raise NotDone("there was no such process")
        time.sleep(0.05)


def _has_work(ground: Ground, process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        if command[1:3] != ["-m", "worker"]:
            return True  # whatever else there is has always something to do
        held = ground.query("SELECT count(*) FROM job WHERE state = 'running' AND worker LIKE %s", f"{command[-1]}@%")
        return bool(held[0][0])
    return False


def _kill(ground: Ground, rng: random.Random, who: Callable[[], list[psutil.Process]], what: str) -> str:
    victim = _one(ground, rng, who)
    ended = _family(victim)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
    await_end(ground, ended)
    return f"kill -9 of {what} ({victim.pid})"


def _family(process: psutil.Process) -> list[psutil.Process]:
    """A process and its children, which end with it."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.children()]
    return [process]


def await_end(ground: Ground, ended: Sequence[psutil.Process]) -> None:
    """The fault lasts until they are gone, and PostgreSQL has done what they had asked for: a claim that was on its way, or
    waited for a lock, begins an attempt after its worker's death."""
    psutil.wait_procs(ended, timeout=FIND_S)
    deadline = time.monotonic() + FIND_S
    while _served_dead(ground) and time.monotonic() < deadline:
        time.sleep(0.05)


def _served_dead(ground: Ground) -> bool:
    """Whether PostgreSQL still serves a connection whose other end is gone."""
    served = ground.query("SELECT client_port FROM pg_stat_activity WHERE client_port > 0 AND pid <> pg_backend_pid()")
    server = int(conninfo_to_dict(ground.database_url)["port"])
    # Of those to this server: connections to another one may come from a port of the same number.
    found = [c for c in psutil.net_connections("tcp4") if c.raddr and c.raddr.port == server]
    alive = {c.laddr.port for c in found if c.status == psutil.CONN_ESTABLISHED}
    return any(port not in alive for (port,) in served)


def _keep_dead(ground: Ground, name: str, seconds: float) -> str:
    """Kills a server, and what the supervisor starts in its place, for so long."""
    deadline, kills = time.monotonic() + seconds, 0
    while time.monotonic() < deadline or not kills:
        for process in ground.named(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                kills += 1
        time.sleep(0.1)
    return f"kill -9 of {name}, {kills} times in {seconds:.1f} s"


def _freeze(
    ground: Ground, rng: random.Random, who: Callable[[], list[psutil.Process]], seconds: float, what: str
) -> str:
    victim = _one(ground, rng, who)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.suspend()
    time.sleep(seconds)
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.resume()
    return f"{what} ({victim.pid}) stood still for {seconds:.1f} s"


def _patiently(do: Callable[[], None]) -> None:
    deadline = time.monotonic() + 4 * FIND_S
    while True:
        try:
            return do()
        except StackError:  # the supervisor restarts something
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _copy(message: bytes) -> bytes:
    """The same message under another tag: kombu can't know that it is one."""
    body = json.loads(message)
    body["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(body).encode()
