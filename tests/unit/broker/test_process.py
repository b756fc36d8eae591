"""What can't be taken back is tried in processes of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="niceness is set on Linux alone")


def niceness_after(code: str) -> int:
    command = [sys.executable, "-c", f"import os; from broker.process import give_way; {code}; print(os.nice(0))"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True).stdout)


def test_a_child_stands_back_behind_other_processes():
    here = os.nice(0)
    assert niceness_after("give_way(3)") == min(19, here + 3)


def test_a_child_that_is_told_so_competes_like_any_other():
    assert niceness_after("give_way(0)") == os.nice(0)


def test_a_process_ends_with_the_one_that_forked_it():
    code = (
        "import os, signal, time\n"
        "from broker.process import die_with_parent\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    die_with_parent(parent); print(os.getpid(), flush=True); time.sleep(600)\n"
        "time.sleep(600)\n"
    )
    forked = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(forked.stdout.readline()))
    forked.kill()
    forked.wait(30)
    forked.stdout.close()
    psutil.wait_procs([child], timeout=60)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_comes_too_late_ends_at_once():
    code = "from broker.process import die_with_parent; die_with_parent(2**22 + 1); print('lives')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


ARENAS = """
import ctypes, sys, threading
from broker.process import share_arenas
set_ = share_arenas(2) if sys.argv[1] == "shared" else True
libc, all_here = ctypes.CDLL(None), threading.Barrier(9)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
def take():
    libc.malloc(ctypes.c_size_t(1000))
    all_here.wait(30)
threads = [threading.Thread(target=take) for _ in range(8)]
for each in threads: each.start()
all_here.wait(30)
for each in threads: each.join()
out = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
print(set_, open(sys.argv[2]).read().count("<heap "))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="only glibc tells of its arenas")
def test_threads_share_arenas_of_memory(tmp_path):
    told = {}
    for how in ("shared", "as it is"):
        command = [sys.executable, "-c", ARENAS, how, str(tmp_path / "info")]
        told[how] = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert told["shared"] == ["True", "2"]
    assert int(told["as it is"][1]) > 2
