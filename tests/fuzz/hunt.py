"""Asks one request after another, and keeps what was wrong, each kind once and as small as hypothesis can make it."""

from __future__ import annotations

import faulthandler
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.asked import Answer, Asked, ask
from tests.fuzz.asking import Route, asked, routes_of
from tests.fuzz.bodies import JSON
from tests.fuzz.ground import Ground
from tests.fuzz.judge import HANG_S, Wrong, is_backpressure, judged

ROUND, REFRESH = 250, 5
# A request that takes so long never ends: the process ends with the stacks of all threads.
STUCK_S = 120
AGAIN = 3


@dataclass
class Finding:
    """Something that should not be, with the smallest request that shows it."""

    what: str
    endpoint: str
    detail: str
    curl: str


@dataclass
class Seen:
    """What has come of all requests so far."""

    requests: int = 0
    backpressure: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    endpoints: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)  # the ten that took longest, in seconds
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def note(self, one: Asked, answer: Answer) -> None:
        self.requests += 1
        self.statuses[answer.status] += 1
        self.endpoints[one.endpoint] += 1
        self.backpressure += is_backpressure(one, answer)
        self.seconds.append(answer.seconds)
        self.slowest = sorted(
            [*self.slowest, (round(answer.seconds, 3), f"{one.method} {one.endpoint}")], reverse=True
        )[:10]

    def keep(self, one: Asked, wrong: Wrong) -> bool:
        """Keeps a finding, the latest of its kind: hypothesis ends with the smallest. True when it is a new kind."""
        key = (one.endpoint, wrong.what)
        new = key not in self.findings
        self.findings[key] = Finding(wrong.what, one.endpoint, wrong.detail, one.as_curl())
        return new


def hunt(ground: Ground, count: int, first_seed: int, tell: Callable[[Seen], None], hang_s: float = HANG_S) -> Seen:
    """Sends `count` requests to all routes in turn; what is found is kept and the hunt goes on.

    A route that takes a body gets three times as many as one that does not.
    """
    seen, routes, number = Seen(), routes_of(ground.app), 0
    weights = {route: 3 if route.endpoint in JSON else 1 for route in routes}
    left = {route: max(1, round(count * each / sum(weights.values()))) for route, each in weights.items()}
    while any(each > 0 for each in left.values()):
        for route in routes:
            if left[route] > 0:
                before = seen.requests
                _round(ground, seen, route, min(ROUND, left[route]), first_seed * 1_000_003 + number, hang_s)
                left[route] -= seen.requests - before
                number += 1
                if number % REFRESH == 0:
                    ground.refresh()
        tell(seen)
    return seen


def _round(ground: Ground, seen: Seen, route: Route, count: int, seeded: int, hang_s: float) -> None:
    known, settled = ground.known, set(seen.findings)

    @seed(seeded)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    @given(asked(route, known))
    def one(this: Asked) -> None:
        faulthandler.dump_traceback_later(STUCK_S, exit=True, file=sys.__stderr__)
        answer = ask(ground.app, this)
        seen.note(this, answer)
        wrong = judged(this, answer, ground.canary) or _slow(ground, this, answer, hang_s)
        if wrong and (this.endpoint, wrong.what) not in settled:
            seen.keep(this, wrong)
            raise Found(wrong.what)

    try:
        one()
    except Found:
        pass
    except BaseExceptionGroup as group:
        if group.split(Found)[1] is not None:
            raise
    finally:
        faulthandler.cancel_dump_traceback_later()


class Found(Exception):
    """Tells hypothesis that a request is worth making smaller."""


def _slow(ground: Ground, this: Asked, answer: Answer, hang_s: float) -> Wrong | None:
    """A request that is slow each time; a busy machine makes any slow once."""
    if answer.seconds <= hang_s:
        return None
    fastest = min(answer.seconds, *(ask(ground.app, this).seconds for _ in range(AGAIN)))
    return Wrong("slow", f"{fastest:.1f} s") if fastest > hang_s else None


def rss_mb(pid: int | None = None) -> float:
    """Megabytes that a process holds."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))] if values else 0.0


def now() -> float:
    return time.monotonic()
