"""What this CPU multiplies at full rate, by the flags that Linux lists; on other systems nothing special is assumed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
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
