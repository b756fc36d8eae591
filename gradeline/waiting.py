"""Waiting for what a server does for longer than the server may live."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from gradeline.errors import ApiProblem, ClientError, Unreachable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
# It is not up yet, or a proxy before it says so, or it wants to be asked less often.
PASSING = (429, 502, 503, 504)
Answer = TypeVar("Answer")


def outlast(
    ask: Callable[[], Answer], deadline: float, on_away: Callable[[ClientError], None] = lambda _: None
) -> Answer:
    """What `ask` returns, asked again (each failure told to `on_away`) while nobody answers, until time.monotonic() is
    `deadline`; then the last failure is raised. Problems that waiting can't mend are raised at once."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            return ask()
        except (Unreachable, ApiProblem) as error:
            passing = isinstance(error, Unreachable) or error.status in PASSING
            if not passing or time.monotonic() + pause > deadline:
                raise
            on_away(error)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)
