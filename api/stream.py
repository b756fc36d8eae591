"""One open event stream: a connection that is only written to."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

# Browsers ask again after so many milliseconds when a stream ends.
RETRY_MS = 2000
# A reader that has not taken what was sent for so long is gone.
STUCK_S = 30.0


@dataclass(frozen=True)
class Event:
    """The state of a job or a batch, as a stream sends it. `id` differs whenever what a reader sees differs."""

    id: str
    data: bytes
    final: bool

    @property
    def message(self) -> bytes:
        return b"id: %s\ndata: %s\n\n" % (self.id.encode(), self.data)


def make_event(body: dict[str, Any], final: bool) -> Event:
    """The event of a job's or a batch's body. A guess of when a batch ends that moves is no event."""
    data = to_json(body)
    lasting = data if "eta_seconds" not in body else to_json({**body, "eta_seconds": None})
    return Event(hashlib.blake2b(lasting, digest_size=9).hexdigest(), data, final)


class Stream(asyncio.Protocol):
    """Sends states as they come. A slow reader gets the newest one when it has taken what it was sent before."""

    def __init__(self, head: bytes, first: Event, seen: str, gone: Callable[[Stream], None]) -> None:
        self._head, self._first, self._sent, self._gone = head, first, seen, gone
        self._transport: asyncio.Transport | None = None
        self._waiting: Event | None = None  # until the reader has taken what it was sent
        self._stuck: asyncio.TimerHandle | None = None
        self.quiet = True  # since the last heartbeat
        self.since = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a connection that can be written to")
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # one event is all that is kept for a reader
        transport.write(self._head + b"retry: %d\n\n" % RETRY_MS)
        self.tell(self._first)

    def tell(self, event: Event) -> None:
        """Sends a state, unless the reader has seen it; the final one ends the stream."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._stuck is not None:
            self._waiting = event
            return
        if event.id != self._sent:
            self._sent, self.quiet = event.id, False
            self._transport.write(event.message)
        if event.final:
            self.end()

    def beat(self) -> None:
        """A comment, so that both sides notice when the other one is gone."""
        if self.quiet and self._stuck is None and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b":\n\n")
        self.quiet = True

    def end(self) -> None:
        """Closes the connection when what was sent has been taken, or at last when it never is."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(STUCK_S, self._transport.abort)

    def pause_writing(self) -> None:
        if self._transport is not None:
            self._stuck = asyncio.get_running_loop().call_later(STUCK_S, self._transport.abort)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        self._stuck, event, self._waiting = None, self._waiting, None
        if event is not None:
            self.tell(event)

    def connection_lost(self, _: Exception | None) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
        self._gone(self)
