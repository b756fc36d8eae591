"""A link that is cut without a word counts as a database that is away, within the time that is set for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from db.errors import DatabaseAway
from db.session import Database, silence
from db.settings import DatabaseSettings


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_server_that_says_nothing_is_away_and_not_an_error_of_ours(silent):
    database = Database(DatabaseSettings(database_url=f"postgresql://a:b@127.0.0.1:{silent}/c", database_connect_s=2))
    with pytest.raises(DatabaseAway), database.session() as session:
        session.connection()
    with pytest.raises(DatabaseAway), database.statement() as session:
        session.connection()
    assert not database.ping()
    database.close()


@pytest.mark.parametrize("seconds", [2, 10, 600])
def test_silence_ends_a_connection_within_the_time_that_is_set(seconds):
    told = silence(seconds)
    assert told["tcp_user_timeout"] == 1000 * seconds
    assert told["keepalives_idle"] + told["keepalives_interval"] * told["keepalives_count"] <= max(seconds, 3)
