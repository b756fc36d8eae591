"""Lines of logs as a person reads them: processes of ours write JSON into files, the servers write as they do."""

from __future__ import annotations

import json
from typing import Any

# What a person sees anyway, or does not look for in passing.
LEFT_OUT = ("time", "level", "event", "logger", "pid", "service", "exception", "worker", "trace_id")


def plain(line: str) -> str:
    """A line of a log in words; one that is no JSON as it is. An exception comes after it, as it was printed."""
    found = _fields(line)
    if found is None:
        return line.rstrip()
    rest = " ".join(f"{name}={value}" for name, value in found.items() if name not in LEFT_OUT)
    time, level = str(found.get("time", ""))[:19].replace("T", " "), str(found.get("level", "")).upper()
    said = f"{time} {level} {found['event']}{f'  {rest}' if rest else ''}".strip()
    return "\n".join([said, *str(found["exception"]).splitlines()]) if "exception" in found else said


def gist(line: str) -> str:
    """What a line says, in one line: what happened, and of an exception its last words."""
    found = _fields(line)
    if found is None:
        return line.strip()
    told = str(found.get("exception", "")).strip().splitlines()
    return f"{found['event']}: {told[-1]}" if told else str(found["event"])


def _fields(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and "event" in found else None
