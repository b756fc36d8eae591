"""Connections to the broker that outlast its absence: kombu's, mended in two places where a cut link shows."""

from __future__ import annotations

from functools import cache
from typing import Any

import redis
from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport import virtual

from db.advice import advise

# Between two tries to reach a broker that is away.
AGAIN_S = 2.0


class Patient(Connection):
    """A connection that is tried for every two seconds. Celery's waits grow to half a minute, and go on when the broker is
    back; no setting of it bounds them. What can be done about it is said."""

    def _ensure_connection(self, errback: Any = None, max_retries: int | None = None, *args: Any, **named: Any) -> Any:
        def failed(error: Exception, interval: float) -> None:
            advise("REDIS_URL", error)
            if errback:
                errback(error, interval)

        bounds = {"interval_start": AGAIN_S, "interval_step": 0, "interval_max": AGAIN_S}
        return super()._ensure_connection(failed, max_retries, *args, **{**bounds, **named})  # type: ignore[no-untyped-call]

    def get_transport_cls(self) -> Any:
        return hearing(super().get_transport_cls())  # type: ignore[no-untyped-call]


class Amqp(AMQP):  # type: ignore[misc]  # Celery has no types
    Connection = Patient


@cache
def hearing(transport: Any) -> Any:
    """The transport, with an acknowledgement that failed counted as given.

    Celery logs one that fails and goes on. kombu would count its message as in hand for ever: with one message at a time the
    worker asks for no other, and with nothing asked no broken connection is noticed. Redis delivers the message once more
    when its visibility ends, to whoever asks, and it finds nothing to claim.
    """
    if not issubclass(transport.Channel.QoS, virtual.QoS):
        return transport

    class QoS(transport.Channel.QoS):  # type: ignore[misc]  # known when it runs
        def ack(self, delivery_tag: str) -> None:
            try:
                super().ack(delivery_tag)
            except (redis.RedisError, OSError):
                virtual.QoS.ack(self, delivery_tag)
                raise

        def reject(self, delivery_tag: str, requeue: bool = False) -> None:
            try:
                super().reject(delivery_tag, requeue)
            except (redis.RedisError, OSError):
                virtual.QoS.ack(self, delivery_tag)
                raise

    channel = type("Channel", (transport.Channel,), {"QoS": QoS})
    return type("Transport", (transport,), {"Channel": channel})
