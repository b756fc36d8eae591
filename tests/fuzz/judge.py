"""What may be answered to anything, and what may not."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.asked import Answer, Asked

ROOT = Path(__file__).parents[2]
# The longest that a request may take; what a request waits for by its own wish is 0.05 s here.
HANG_S = 2.0
LEAKS = re.compile(
    "|".join(
        [r"Traceback \(most recent", r'File \\?"[^"]+", line \d', "psycopg", "sqlalchemy", r"\.py\b", "/site-packages",
         re.escape(str(ROOT)), re.escape(sys.prefix)]
    )
)  # fmt: skip
OLD = ("/llm/rubric-score", "/health")
# What is said in another form than a problem when it is not well: how it is with the servers.
STATES = ("/readyz", "/health")
BACKPRESSURE = ("overloaded", "unavailable")
FIELDS = {"type", "title", "status", "detail", "code", "errors", "request_id"}


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an answer; two of the same kind at the same route are one finding."""

    what: str
    detail: str = ""


def judged(asked: Asked, answer: Answer, canary: str = "") -> Wrong | None:
    """What is wrong with an answer, if anything. `canary` is what another tenant's rows hold."""
    if answer.raised:
        return Wrong(f"raised {answer.raised}")
    text = answer.body.decode("utf-8", "replace")
    if answer.status >= 500 and not is_backpressure(asked, answer):
        return Wrong(f"{answer.status}", text[:500])
    if found := LEAKS.search(text if answer.status >= 400 else ""):
        return Wrong("a leak", found[0])
    if canary and canary in text:
        return Wrong("another tenant's", text[:500])
    if any(mark in value for value in answer.headers.values() for mark in "\r\n\0"):
        return Wrong("a header of two lines", str(answer.headers))
    if answer.status >= 400 and asked.method != "HEAD":
        return _of_error(asked, answer, text)
    return _of_json(answer) if answer.kind == "application/json" and asked.method != "HEAD" else None


def is_backpressure(asked: Asked, answer: Answer) -> bool:
    """A 503 on purpose, which says when to come again."""
    if answer.status != 503 or "retry-after" not in answer.headers:
        return False
    told = any(code.encode() in answer.body for code in BACKPRESSURE)
    return told or asked.method == "HEAD" or asked.path.startswith((*OLD, *STATES))


def _of_error(asked: Asked, answer: Answer, text: str) -> Wrong | None:
    try:
        body = json.loads(text)
    except ValueError:
        return Wrong(f"{answer.status} is no JSON", f"{answer.kind}: {text[:200]}")
    old = asked.path.startswith((*OLD, *STATES))
    if answer.kind == "application/problem+json":
        whole = isinstance(body, dict) and set(body) == FIELDS and body["status"] == answer.status
        return None if whole else Wrong("no problem object", text[:200])
    if old and answer.kind == "application/json" and isinstance(body, dict):
        return None
    return Wrong(f"{answer.status} is no problem", f"{answer.kind}: {text[:200]}")


def _of_json(answer: Answer) -> Wrong | None:
    try:
        body = answer.body
        if answer.headers.get("content-encoding") == "gzip":
            return None
        json.loads(body, parse_constant=_none) if body else None
    except ValueError as error:
        return Wrong("an answer that is no JSON", str(error)[:200])
    return None


def _none(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
