"""Backpressure: no more work is taken than may wait.

The limits are checked at every hand-in, so it costs no query: what waits is counted now and then and remembered, and what
this process has taken since is added. Other processes' hand-ins come in with the next count, which is due before they could all
have filled what is left: a limit may be passed by what they take in a second or so. Nobody is refused by an old count (ADR 35).
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.errors import Overloaded, RateLimited, TooLarge
from api.settings import ApiSettings
from db.waiting import rate, waiting

REMEMBER_S = 1.0
# Counting a million rows takes a while: at most a twentieth of a process's time goes into it.
REST = 20
# Jobs a second that all processes together are not expected to take: so long what is left lasts.
FASTEST, LONG_S = 50_000, 60.0
REMEMBERED = 1000
# While nothing is graded nobody knows when there will be room.
UNKNOWN_S, LONGEST_S = 10, 300


@dataclass
class Count:
    """What waits as far as this process knows, and until when it takes and refuses more by that."""

    jobs: int = 0
    rate: float = 0.0
    takes_until: float = 0.0
    refuses_until: float = 0.0


class Intake:
    """Says whether more work is taken."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._known: dict[uuid.UUID | None, Count] = {}
        self._lock = threading.Lock()

    def admit(self, session: Session, tenant_id: uuid.UUID, jobs: int) -> None:
        """Takes so many jobs of a tenant into account. RateLimited or Overloaded when too many wait already, TooLarge when
        they are more than may ever wait."""
        of_tenant, of_all = self._settings.most_waiting_tenant, self._settings.most_waiting
        counts = []
        for owner, limit, refusal in ((tenant_id, of_tenant, RateLimited), (None, of_all, Overloaded)):
            if limit:
                count = self._count(session, owner, limit, jobs)
                whose = "of your texts" if owner else "texts"
                if jobs > limit:
                    raise TooLarge(f"{jobs:,} texts at once; at most {limit:,} {whose} may wait.")
                if count.jobs + jobs > limit:
                    more = "More than " if count.jobs > limit else ""
                    raise refusal(
                        f"{more}{min(count.jobs, limit):,} {whose} wait, and the limit is {limit:,}.",
                        retry_after=_until_room(count, jobs, limit),
                    )
                counts.append(count)
        for count in counts:
            count.jobs += jobs

    def _count(self, session: Session, owner: uuid.UUID | None, limit: int, jobs: int) -> Count:
        began = time.monotonic()
        with self._lock:
            if len(self._known) > REMEMBERED:
                self._known.clear()
            count = self._known.setdefault(owner, Count())
            if began < (count.takes_until if count.jobs + jobs <= limit else count.refuses_until):
                return count
            # Other threads go by what is known meanwhile.
            count.takes_until = count.refuses_until = began + REMEMBER_S
        count.jobs = waiting(session, limit + 1, owner)
        count.rate = rate(session, owner) if count.jobs >= limit else 0.0
        now = time.monotonic()
        rest = max(REMEMBER_S, REST * (now - began))
        count.refuses_until = now + rest
        count.takes_until = now + max(rest, min(LONG_S, (limit - count.jobs) / FASTEST))
        return count


def _until_room(count: Count, jobs: int, limit: int) -> int:
    """Seconds until so many more fit, at the rate at which work is done now."""
    if not count.rate:
        return UNKNOWN_S
    return max(1, min(LONGEST_S, math.ceil((count.jobs + jobs - limit) / count.rate)))
