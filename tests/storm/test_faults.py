"""A kill lasts until the server has done what the dead had asked for: what begins then is its fault, too."""

from __future__ import annotations

import subprocess
import sys
import threading

import psycopg

from tests.storm.faults import await_end
from tests.storm.ground import Ground
from tests.waiting import until

ASKS = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(connection.info.backend_pid, flush=True)
    connection.execute("SELECT pg_advisory_lock(4711)")
"""
WAITING = "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted"


class Server(Ground):
    """A ground of which only the database is there."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def database_url(self) -> str:
        return self._url


def test_a_kill_is_over_when_what_the_dead_had_asked_for_is_done(servers):
    ground = Server(servers.database_url)
    with psycopg.connect(ground.database_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        command = [sys.executable, "-c", ASKS, ground.database_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            backend = int(client.stdout.readline())
            until(lambda: ground.query(WAITING, backend), 30)
            client.kill()
        over = threading.Thread(target=await_end, args=(ground, []))
        over.start()
        over.join(0.5)
        assert over.is_alive() and ground.query(WAITING, backend)
        holder.execute("SELECT pg_advisory_unlock(4711)")
        over.join(30)
        assert not over.is_alive()
    assert ground.query("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", backend) == [(0,)]
