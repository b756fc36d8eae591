"""What a log may say of an exception: its kind and the places it came by, and its message only where that can't quote a text.

Messages of libraries quote what they failed on: a row that the database refused, a value that is no number. Tracebacks hold
lines of programs, no values.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from db.errors import GradelineError

# Messages that are ours, or speak of files, connections and modules. By name: not every process has every library.
SPEAKING = (GradelineError, OSError, ImportError)
SPEAKING_OF = ("kombu.exceptions", "redis.exceptions")
# PostgreSQL's classes of errors of connections, passwords, databases, resources and shutdowns; others quote rows.
ABOUT_THE_SERVER = ("08", "28", "3D", "53", "57", "58")
# A chain of causes longer than this is a circle, or of no use.
CAUSES = 8


def in_words(error: BaseException) -> str:
    """An exception in one line: `kind: message`, or its kind alone; of a database's error also its SQLSTATE."""
    kind = type(error).__name__
    if isinstance(error, SPEAKING) or type(error).__module__ in SPEAKING_OF:
        return f"{kind}: {error}" if str(error) else kind
    if type(error).__module__.partition(".")[0] == "psycopg":
        state = getattr(error, "sqlstate", None)
        said = " ".join(str(error).split()) if (state or "08")[:2] in ABOUT_THE_SERVER else ""
        return f"{kind}{f' ({state})' if state else ''}{f': {said}' if said else ''}"
    if isinstance(error, SQLAlchemyError) and error.__cause__ is not None:
        return f"{kind} of {in_words(error.__cause__)}"
    return kind


def story(error: BaseException) -> str:
    """A traceback with all causes, as Python prints it, without values and without what messages may quote."""
    parts = []
    for each, why in reversed(list(_chain(error))):
        frames = "".join(traceback.format_tb(each.__traceback__))
        parts.append(
            f"{'Traceback (most recent call last):' if frames else ''}\n{frames}{in_words(each)}{why}".lstrip()
        )
    return "\n".join(parts)


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """An exception, then what it came of, each with the sentence that follows it when it is told."""
    why = ""
    seen: BaseException | None = error
    for _ in range(CAUSES):
        if seen is None:
            return
        yield seen, why
        if seen.__cause__ is not None:
            seen, why = seen.__cause__, "\n\nThe above exception was the direct cause of the following exception:\n"
        elif seen.__suppress_context__:
            return
        else:
            seen, why = seen.__context__, "\n\nDuring handling of the above exception, another exception occurred:\n"


class Discreet(logging.Filter):
    """Puts words in the place of exceptions among a line's arguments: libraries log them whole."""

    def filter(self, record: logging.LogRecord) -> bool:
        said: object = record.msg
        if isinstance(said, BaseException):
            record.msg, record.args = "%s", (in_words(said),)
        elif isinstance(record.args, tuple) and any(isinstance(each, BaseException) for each in record.args):
            record.args = tuple(in_words(each) if isinstance(each, BaseException) else each for each in record.args)
        return True
