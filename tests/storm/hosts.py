"""Two hosts on one machine: network namespaces with a virtual cable between them, and ways to cut it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEAR_IP, FAR_IP = "10.79.83.1", "10.79.83.2"
CLONE_NEWNET = 0x40000000


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
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "this thread can't move to another network namespace")
