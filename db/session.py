"""Connections to PostgreSQL. SQLAlchemy's engine stays in this file."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

import db.tables  # noqa: F401 - a row is flushed in order of its foreign keys, so every table must be known
from db.advice import advise
from db.errors import DatabaseAway
from db.settings import DatabaseSettings


class Database:
    """A pool of connections, opened at first use and again after a fork: no two processes share a connection."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self._engines: tuple[Engine, Engine] | None = None
        self._pid = 0

    @property
    def url(self) -> str:
        """The URL in the form that psycopg itself reads."""
        return make_url(self.settings.database_url).set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def engine(self) -> Engine:
        return self._opened()[0]

    def _opened(self) -> tuple[Engine, Engine]:
        """An engine, and one with the same pool whose statements are transactions of their own.

        The second is made once, too: each new one would look up all its listeners again.
        """
        if self._engines is None or self._pid != os.getpid():
            engine = self._open()
            self._engines, self._pid = (engine, engine.execution_options(isolation_level="AUTOCOMMIT")), os.getpid()
        return self._engines

    @property
    def arguments(self) -> dict[str, Any]:
        """What psycopg is told beside the URL."""
        told = self.settings
        options = {
            "statement_timeout": told.database_statement_ms,
            "lock_timeout": told.database_statement_ms,
            # A link that is cut between two statements must not leave its locks behind until the server's kernel notices.
            "idle_in_transaction_session_timeout": told.database_statement_ms,
            "timezone": "UTC",
        }
        return {
            "connect_timeout": told.database_connect_s,
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            **silence(told.silence_s),
            # Nothing is prepared. A plan that was made for twenty rows and kept reads a hundred thousand of them one by one,
            # until the server has looked at the table again: a minute, in which a first large batch goes ten times slower.
            "prepare_threshold": None,
        }

    def _open(self) -> Engine:
        engine = create_engine(
            make_url(self.settings.database_url).set(drivername="postgresql+psycopg"),
            pool_size=self.settings.database_pool,
            max_overflow=0,
            # The one that was used last: its process in the server is still warm.
            pool_use_lifo=True,
            hide_parameters=True,  # an error says which statement failed, not on whose text
            pool_timeout=self.settings.database_connect_s,
            connect_args=self.arguments,
        )
        event.listen(engine, "checkout", _is_looked_at)
        return engine

    def listener(self) -> psycopg.Connection[Any]:
        """A connection of one's own, without a transaction, for LISTEN. psycopg.Error when it can't be had."""
        return psycopg.connect(self.url, autocommit=True, **self.arguments)

    def session(self) -> AbstractContextManager[Session]:
        """One transaction: committed at the end, rolled back by an exception. DatabaseAway when it can't be had.

        Also when the server gave it up in favour of another that it would have waited for, for ever: again is all right.
        """
        return self._session(self.engine)

    def statement(self) -> AbstractContextManager[Session]:
        """For a single statement, which is a transaction of its own: one round trip where a session takes three.

        What is done with a second one is not undone when it fails.
        """
        return self._session(self._opened()[1])

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        try:
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
        except PoolTimeout as error:
            raise DatabaseAway("every connection to the database is busy") from error
        except DBAPIError as error:
            if is_away(error):
                advise("DATABASE_URL", error)
                raise DatabaseAway("the database can't be reached") from error
            if isinstance(error.orig, psycopg.errors.DeadlockDetected):
                raise DatabaseAway("two changes of the same rows stood in each other's way") from error
            raise

    def ping(self) -> bool:
        """True when the database answers."""
        try:
            with self.statement() as session:
                session.execute(text("SELECT 1"))
        except DatabaseAway:
            return False
        return True

    def close(self) -> None:
        """Closes the pool; the next use opens another."""
        if self._engines is not None and self._pid == os.getpid():
            self._engines[0].dispose()
        self._engines = None


def silence(seconds: int) -> dict[str, int]:
    """What libpq is told so that a connection on which nothing comes back for so long ends with an error.

    Keepalives find out while an answer is awaited, the user timeout while something sent is not acknowledged.
    """
    every = max(1, seconds // 3)
    return {
        "keepalives": 1, "keepalives_idle": every, "keepalives_interval": every, "keepalives_count": 2,
        "tcp_user_timeout": 1000 * seconds,
    }  # fmt: skip


def _is_looked_at(connection: Any, _: Any, __: Any) -> None:
    """A connection whose server has said something, or gone, while it rested is asked whether it lives: a server that
    restarted costs a round trip, not an error.

    One that is silent lives, for keepalives tell of one that was cut. SQLAlchemy's own pre-ping asks at every use, which costs
    more than some statements do.
    """
    try:
        if not _silent(connection.fileno()):
            connection.execute("SELECT 1")
            connection.rollback()
    except psycopg.Error as error:
        raise DisconnectionError from error  # the pool opens another one


def _silent(socket: int) -> bool:
    """Whether there is nothing to read, not even an end."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return not poll.poll(0)


def is_away(error: DBAPIError) -> bool:
    """Whether an error means that the server is gone, rather than that it refused a statement."""
    state = getattr(error.orig, "sqlstate", None)
    # Also of classes below these, such as psycopg's ConnectionTimeout: a link that is cut without a word.
    broken = isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError) and (state or "08")[:2] == "08"
    # 08: connection exceptions; 57P01-57P03: shutting down or starting up; 53300: no connection left.
    return error.connection_invalidated or broken or state in ("57P01", "57P02", "57P03", "53300")
