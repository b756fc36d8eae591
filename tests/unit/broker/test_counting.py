"""Counts that processes keep together. Each test counts in processes of its own: the library chooses its mode once."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

from broker.counting import LOCK, START

BEGIN = """
import os, signal, sys
from prometheus_client import CollectorRegistry, Counter
from broker.counting import everybody, share

place = "parent"
folder = share(lambda: place)
own = CollectorRegistry()
counter = Counter("seen", "Seen", registry=own)

def child(name, steps, end=os._exit):
    global place
    place = name
    pid = os.fork()
    if pid == 0:
        counter.inc(steps)
        end(0)
    os.waitpid(pid, 0)
    place = "parent"

def total():
    return everybody(own).get_sample_value("seen_total")
"""


def count(tmp_path, code):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + textwrap.dedent(code)], env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_counts_of_all_processes_are_added_up(tmp_path):
    assert count(tmp_path, "counter.inc(); child('a', 2); child('b', 4); print(total())") == "7.0"


def test_who_takes_a_dead_ones_place_goes_on_with_its_counts_in_the_same_file(tmp_path):
    told = """
    killed = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(5):
        child("a", 2, killed)
    print(total(), len(list(folder.glob("*.db"))))
    """
    assert count(tmp_path, told) == "10.0 2"


def test_the_folder_goes_with_its_server_and_not_with_a_child(tmp_path):
    told = "child('a', 1, sys.exit) if os.getpid() else None; print(folder.exists(), total())"
    assert count(tmp_path, told) == "True 1.0"
    assert list(tmp_path.glob(f"{START}*")) == []


def test_what_a_killed_server_has_left_is_removed_by_the_next_and_what_is_in_use_is_not(tmp_path):
    left, bare, young = (tmp_path / f"{START}{name}" for name in ("left", "bare", "young"))
    for folder in (left, bare, young):
        folder.mkdir()
        if folder != bare:
            (folder / LOCK).touch()
    for folder in (left, bare):
        os.utime(folder, (1, 1))
    told = """
    os.utime(folder, (1, 1))
    other = share(lambda: "other")
    print(folder.exists() and other.exists())
    """
    assert count(tmp_path, told) == "True"
    assert not left.exists() and not bare.exists() and young.exists()


def test_counts_of_one_process_need_no_folder():
    from prometheus_client import CollectorRegistry

    from broker.counting import everybody

    own = CollectorRegistry()
    assert everybody(own) is own
