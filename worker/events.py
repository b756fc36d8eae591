"""What Flower is told, told together: Celery's consumer with events of tasks sent a few times a second."""

from __future__ import annotations

import time
from typing import Any

from celery.worker.consumer import Consumer

# Celery sends each chunk's three events by themselves: two fifths of what a chunk costs the parent.
EVERY_S = 0.5


class Gathering(Consumer):  # type: ignore[misc]  # Celery has no types
    """Events of tasks wait for others for half a second; 24 of them never wait. Those of workers are sent as they come."""

    _due_at = 0.0

    def on_send_event_buffered(self) -> None:
        # A time and no flag: when the connection is lost, Celery forgets what was to be called later.
        if self.hub and time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + EVERY_S
            self.hub.call_later(EVERY_S, self._flush_events)

    def shutdown(self) -> Any:
        self._flush_events()  # the last chunk's
        return super().shutdown()
