"""`python -m bench [NAME ...] [--quick]`: the measurements one after another, each in a process of its own."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from bench.tables import RESULTS

# In the order in which one explains the next.
ALL = (
    "roofline", "line", "peers", "queue", "scale", "backlog", "latency", "recovery", "regrade",
    "uploads", "streams", "strangers", "events", "gpu",
)  # fmt: skip


def command(name: str, quick: bool, out: Path) -> list[str]:
    """How one measurement is started."""
    return [sys.executable, "-m", f"bench.{name}", "--out", str(out), *(["--quick"] if quick else [])]


def run(name: str, quick: bool, out: Path) -> str:
    """Runs one; what to say of it in the end."""
    if find_spec(f"bench.{name}") is None:
        return "is not here, left out"
    print(f"\n== bench.{name}", flush=True)
    began = time.monotonic()
    code = ended(subprocess.Popen(command(name, quick, out)))
    spent = f"{time.monotonic() - began:.0f} s"
    return spent if code == 0 else f"FAILED after {spent} (exit {code})"


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status. Whatever ends us, the measurement first ends what it has started."""
    try:
        return process.wait()
    except KeyboardInterrupt:  # from the terminal it has gone to the measurement as well: a second one would cut it off
        process.wait()
        raise
    except SystemExit:
        process.terminate()
        process.wait()
        raise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="*", default=list(ALL), help=f"of {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything run?")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    told = {name: run(name, given.quick, given.out) for name in given.name}
    print(f"\nresults: {given.out}")
    for name, what in told.items():
        print(f"{name:9} {what}")
    if any(what.startswith("FAILED") for what in told.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
