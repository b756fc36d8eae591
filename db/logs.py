"""One form for every line that a process logs, ours and the libraries': JSON, or columns for people on a terminal.

Lines are written with `logging`: `extra` holds a line's own fields, `about` those of all lines within it, and every line has
those of its process. No line holds a text, a key or a password: `db/tracebacks.py` says what becomes of exceptions.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO
from uuid import UUID

from pydantic_core import to_json
from structlog.contextvars import bound_contextvars, get_contextvars
from structlog.dev import ConsoleRenderer
from structlog.processors import JSONRenderer

from db.settings import DatabaseSettings
from db.tracebacks import Discreet, story

OURS = ("api", "broker", "db", "worker", "__main__")
# A line for each chunk that comes and goes: the worker's own say more. At DEBUG they are there.
QUIET = ("celery.worker.strategy", "celery.app.trace")
# What `logging` itself knows of a line; all else came as its fields.
OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
EVENT_WIDTH = 40


def configure(settings: DatabaseSettings, service: str, **always: object) -> None:
    """Makes this process, and those that it forks, log to standard error. `always`: fields of every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Discreet())
    handler.setFormatter(Lines(settings.log_format, sys.stderr, service=service, **always))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    # At DEBUG, libraries tell what they work on.
    root.setLevel(max(logging.getLevelNamesMapping()[settings.log_level], logging.INFO))
    for name in OURS:
        logging.getLogger(name).setLevel(settings.log_level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.INFO if settings.log_level == "DEBUG" else logging.CRITICAL)
    logging.captureWarnings(True)
    sys.excepthook = _ended
    threading.excepthook = lambda args: _ended(args.exc_type, args.exc_value, args.exc_traceback)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Puts fields on all lines that this thread logs within; those that are None are left out."""
    with bound_contextvars(**{name: value for name, value in fields.items() if value is not None}):
        yield


class Lines(logging.Formatter):
    """Makes a line of a record; `form` as in GRADELINE_LOG_FORMAT.

    A busy worker logs two thousand lines a second: structlog renders them, but its own bridge from `logging` would double
    what one costs (docs/adr/0022-logs-and-traces.md).
    """

    def __init__(self, form: str, stream: TextIO, **always: object) -> None:
        super().__init__()
        self._always, terminal = always, stream.isatty()
        self._json = form == "json" or (form == "auto" and not terminal)
        self._render: Any = (
            JSONRenderer(serializer=_json)
            if self._json
            else ConsoleRenderer(colors=terminal, pad_event_to=EVENT_WIDTH, timestamp_key="time")
        )

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
            "logger": record.name,
            "pid": record.process,
            **self._always,
            **get_contextvars(),
            **{name: value for name, value in record.__dict__.items() if name not in OWN and value is not None},
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = story(record.exc_info[1])
        if not self._json:
            line = {name: str(value) if isinstance(value, UUID) else value for name, value in line.items()}
        return str(self._render(None, record.levelname.lower(), line))


def _json(line: dict[str, Any], **_: object) -> str:
    try:
        return to_json(line, fallback=str).decode()
    except ValueError:  # half a character, which UTF-8 does not have
        return json.dumps(line, default=str)


def _ended(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
    """The last words of a process or a thread that nobody caught."""
    if error is not None and not issubclass(kind, KeyboardInterrupt | SystemExit):
        logging.getLogger(__name__).critical("ended by an error", exc_info=(kind, error, trace))
