"""What this CPU multiplies at full rate, by the flags that Linux lists; on other systems nothing special is assumed."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")
# Dot products of bytes in one instruction. Without it they are sums of 16 bits, slower and too narrow for whole bytes.
INT8 = {"avx512_vnni", "avx_vnni", "amx_int8"}
BF16 = {"avx512_bf16", "amx_bf16"}


@cache
def flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """The flags of the first core; none where there is no such file."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split(":")[1] for line in lines if line.startswith("flags")), "").split())


def int8_is_fast(cpuinfo: Path = CPUINFO) -> bool:
    """Whether products of int8 run several times as fast as those of fp32, and exactly."""
    return bool(INT8 & flags(cpuinfo))


def bf16_is_fast(cpuinfo: Path = CPUINFO) -> bool:
    """Whether bf16 is computed rather than emulated: emulated, it is 2.4 times as slow as fp32."""
    return bool(BF16 & flags(cpuinfo))


def cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may use at once: by its affinity, and by the time that its container may take.

    A container that is limited sees all cores of its machine; with a thread on each it would use up its time at once, and
    then stand still until the next tenth of a second begins.
    """
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(seen, math.ceil(_share(cgroup))))


def _share(cgroup: Path) -> float:
    """Seconds of computing in a second; the number of all cores, and more, where nobody limits it."""
    try:
        if (file := cgroup / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return int(quota) / int(period) if quota.strip() not in ("max", "-1") else 1e6
    except (OSError, ValueError):
        return 1e6
