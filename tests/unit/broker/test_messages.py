"""Messages that wait are counted, also over a connection that was cut; without a broker that is said."""

from __future__ import annotations

import uuid

import pytest
import redis
from kombu.exceptions import OperationalError

from broker.app import make_app
from broker.messages import Messages
from broker.settings import BrokerSettings
from gradeline.stack.home import free_port


def test_messages_are_counted_over_a_connection_that_was_cut(servers):
    settings = BrokerSettings(database_url=servers.database_url, redis_url=servers.redis_url)
    queue, app, messages = uuid.uuid4().hex, make_app(settings), Messages(settings)
    assert messages(queue) == 0
    for _ in range(3):
        app.send_task("a.task", queue=queue)
    app.close()
    with redis.Redis.from_url(servers.redis_url) as other:
        other.client_kill_filter(_id=messages._redis.client_id())
    assert messages(queue) == 3


def test_a_broker_that_is_away_is_an_operational_error(servers):
    away = BrokerSettings(database_url=servers.database_url, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(OperationalError):
        Messages(away)("a queue")
