"""What a connection that breaks must not leave behind: a worker that hears nothing any more."""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import ExitStack

import pytest
from kombu import Consumer, Producer

from broker.app import make_app, queue_of
from broker.settings import BrokerSettings
from tests.tls import fronted, make_certificates


@pytest.mark.parametrize("way", ["ack_log_error", "reject_log_error"])
def test_an_acknowledgement_that_fails_leaves_room_for_the_next_message(servers, tmp_path, way, caplog):
    certificates = make_certificates(tmp_path, "localhost")
    password, _, rest = servers.redis_url.removeprefix("redis://").partition("@")
    with ExitStack() as link:
        port = link.enter_context(fronted(int(rest.split("/")[0].split(":")[1]), certificates.server))
        url = f"rediss://{password}@localhost:{port}/0?ssl_ca_certs={certificates.ca}"
        app = make_app(BrokerSettings(redis_url=url, redis_connect_s=0.5, redis_timeout_s=1))
        connection, queue, heard = app.connection_for_read(), queue_of(uuid.uuid4().hex), []
        Producer(connection).publish({}, routing_key=queue.name, declare=[queue], exchange=queue.exchange)
        channel = connection.channel()
        channel.basic_qos(0, 1, False)
        Consumer(channel, [queue], callbacks=[lambda _, message: heard.append(message)]).consume()
        deadline = time.monotonic() + 60
        while not heard:
            assert time.monotonic() < deadline
            connection.drain_events(timeout=10)
        assert not channel.qos.can_consume()
        link.close()
        with caplog.at_level(logging.CRITICAL):
            getattr(heard[0], way)(logging.getLogger(__name__), connection.connection_errors)
        assert "Couldn't" in caplog.text
        assert channel.qos.can_consume()
        connection.collect()
        app.close()
