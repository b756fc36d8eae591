"""How many requests of one key are taken a minute: a counter in Valkey for each key and kind of request.

One round trip with a script, a fixed window: the library that does this for Flask took three times the processor time
(ADR 19). Without Valkey nobody is refused: a limit protects from haste, and hand-ins have limits in the database too.
"""

from __future__ import annotations

import logging
import math
import time
import weakref
from dataclasses import dataclass

import redis
from flask import Response, g, request
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.errors import RateLimited
from api.settings import ApiSettings

log = logging.getLogger(__name__)

TIMEOUT_S = 0.25
# After a failure Valkey is not asked again for so long: a request must not wait for it each time.
LEAVE_ALONE_S = 5.0
COUNT = """
local taken = redis.call('INCR', KEYS[1])
if taken == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {taken, redis.call('PTTL', KEYS[1])}
"""


@dataclass(frozen=True)
class Standing:
    """A kind of request, how many of it are taken a window, how many are left, and the seconds until the next window."""

    kind: str
    quota: int
    window_s: int
    left: int
    reset_s: int


class Limits:
    """Counts requests."""

    def __init__(self, settings: ApiSettings) -> None:
        self._quotas = {"read": settings.rate_read, "submit": settings.rate_submit}
        self._window_s = settings.rate_window_s
        self._redis = redis.Redis.from_url(
            settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        weakref.finalize(self, self._redis.connection_pool.disconnect)
        self._count = self._redis.register_script(COUNT)
        self._away_until = 0.0

    def take(self, who: str) -> None:
        """Counts the request at hand; RateLimited when it is one too many."""
        kind = "read" if request.method in ("GET", "HEAD") else "submit"
        quota = self._quotas[kind]
        counted = self._taken(f"gradeline:rate:{kind}:{who}") if quota else None
        if counted is None:
            return
        taken, left_ms = counted
        standing = Standing(kind, quota, self._window_s, max(0, quota - taken), max(1, math.ceil(left_ms / 1000)))
        g.standing = standing
        if taken > quota:
            raise RateLimited(
                f"This key may send {quota:,} requests of the kind '{kind}' in {self._window_s} seconds.",
                retry_after=standing.reset_s,
            )

    def _taken(self, name: str) -> tuple[int, int] | None:
        """Requests of this window, this one too, and its milliseconds left; None while Valkey is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            taken, left_ms = self._count(keys=[name], args=[self._window_s * 1000])
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + LEAVE_ALONE_S
            log.warning("requests are not counted while Valkey is away (%s)", type(error).__name__)
            return None
        return int(taken), int(left_ms)


def tell(response: Response) -> Response:
    """The standing in the answer, as draft-ietf-httpapi-ratelimit-headers says."""
    found: Standing | None = g.get("standing")
    if found:
        response.headers["RateLimit-Policy"] = f'"{found.kind}";q={found.quota};w={found.window_s}'
        response.headers["RateLimit"] = f'"{found.kind}";r={found.left};t={found.reset_s}'
    return response
