"""How many messages wait in the broker."""

from __future__ import annotations

import redis
from kombu.exceptions import OperationalError

from broker.address import PREFIX, client_of
from broker.settings import BrokerSettings


class Messages:
    """Counts the messages of a queue, over a connection of its own.

    Asking kombu means declaring the queue, which takes several times as long; and its connections may still be owed the
    answer to a read that somebody gave up.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        self._redis = client_of(settings, settings.redis_timeout_s)

    def __call__(self, queue: str) -> int:
        """Those that nobody has taken yet. OperationalError when the broker is away."""
        try:
            return int(self._redis.llen(PREFIX + queue))
        except redis.RedisError as error:
            raise OperationalError(str(error)) from error
