"""How many requests of one key are taken in a window: a counter in Valkey for each key and kind of request.

A process takes a block of requests from the counter at once and counts them down by itself, so that most requests ask nobody
(ADR 19). Without Valkey nobody is refused: a limit protects from haste, and hand-ins have limits in the database too.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from dataclasses import dataclass

import redis
from flask import Response, g, request

from api.errors import RateLimited
from api.settings import ApiSettings
from broker.address import PREFIX, client_of
from db.advice import advice

log = logging.getLogger(__name__)

TIMEOUT_S = 0.25
# After a failure Valkey is not asked again for so long: a request must not wait for it each time.
LEAVE_ALONE_S = 5.0
# A block is this part of the quota: what a process takes and does not use, other processes can't. Below 200 all is exact.
BLOCK = 200
REMEMBERED = 10_000
COUNT = """
local taken = redis.call('INCRBY', KEYS[1], ARGV[2])
if taken == tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
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


@dataclass
class Block:
    """Requests that this process may still take, those that nobody has taken from the counter, and when the window ends."""

    mine: int
    others: int
    until: float


class Limits:
    """Counts requests."""

    def __init__(self, settings: ApiSettings) -> None:
        self._quotas = {"read": settings.rate_read, "submit": settings.rate_submit}
        self._window_s = settings.rate_window_s
        self._redis = client_of(settings, TIMEOUT_S)
        weakref.finalize(self, self._redis.connection_pool.disconnect)
        self._count = self._redis.register_script(COUNT)
        self._away_until = 0.0
        self._blocks: dict[str, Block] = {}
        self._lock = threading.Lock()

    def take(self, who: str) -> None:
        """Counts the request at hand; RateLimited when it is one too many."""
        kind = "read" if request.method in ("GET", "HEAD") else "submit"
        quota = self._quotas[kind]
        if quota and (found := self._one_of(f"{PREFIX}rate:{kind}:{who}", quota)):
            self._tell(kind, quota, *found)

    def _one_of(self, name: str, quota: int) -> tuple[Block, int] | None:
        """A block and what is left of it after this request, below 0 when it is one too many; None while Valkey is away."""
        while block := self._block(name, quota):
            with self._lock:
                block.mine -= 1
                # Otherwise another thread took the last one of this block, and there are more.
                if block.mine >= 0 or block.others == 0:
                    return block, block.mine
        return None

    def _tell(self, kind: str, quota: int, block: Block, left: int) -> None:
        reset_s = max(1, math.ceil(block.until - time.monotonic()))
        g.standing = Standing(kind, quota, self._window_s, max(0, left) + block.others, reset_s)
        if left < 0:
            raise RateLimited(
                f"This key may send {quota:,} requests of the kind '{kind}' in {self._window_s} seconds.",
                retry_after=reset_s,
            )

    def _block(self, name: str, quota: int) -> Block | None:
        """What this process may take of a counter; None while Valkey is away."""
        now = time.monotonic()
        known = self._blocks.get(name)
        # Who is refused is refused until the window ends, without a question: haste must not cost anything.
        if known and known.until > now and (known.mine > 0 or known.others == 0):
            return known
        if now < self._away_until:
            return None
        size = max(1, quota // BLOCK)
        try:
            taken, left_ms = self._count(keys=[name], args=[self._window_s * 1000, size])
        except (redis.RedisError, OSError) as error:
            self._away_until = time.monotonic() + LEAVE_ALONE_S
            log.warning("requests are not counted while Valkey is away: %s", advice("REDIS_URL", error))
            return None
        mine = min(size, quota - (int(taken) - size))
        made = Block(mine, max(0, quota - int(taken)), time.monotonic() + int(left_ms) / 1000)
        with self._lock:
            also = self._blocks.get(name)  # of a thread that asked at the same moment
            if also and also.until > now and also.mine > 0:
                made.mine += also.mine
            if len(self._blocks) >= REMEMBERED:
                self._blocks.clear()
            self._blocks[name] = made
        return made


def tell(response: Response) -> Response:
    """The standing in the answer, as draft-ietf-httpapi-ratelimit-headers says."""
    found: Standing | None = g.get("standing")
    if found:
        response.headers["RateLimit-Policy"] = f'"{found.kind}";q={found.quota};w={found.window_s}'
        response.headers["RateLimit"] = f'"{found.kind}";r={found.left};t={found.reset_s}'
    return response
