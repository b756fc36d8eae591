"""All event streams of a process, held by one thread: no request thread waits with them.

A request thread checks the key and reads the job; then it hands its connection over (`api/handing_over.py`). What moves is
read again for all streams together, a hundred jobs a statement.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Literal, NamedTuple

from api.settings import ApiSettings
from api.stream import Event, Stream, make_event
from api.views import batch_body, job_body
from api.wakeup import Wakeup
from db.batches import BatchView, find_batches
from db.finding import JobView, find_jobs
from db.job import FINAL
from db.session import Database

log = logging.getLogger(__name__)

AT_ONCE = 100
# A class that is graded moves many times a second: its counts are read twice a second.
PAUSE_S = {"job": 0.0, "batch": 0.5}
AGAIN_S = 1.0


class Subject(NamedTuple):
    """What a stream tells of."""

    kind: Literal["job", "batch"]
    tenant_id: uuid.UUID
    id: uuid.UUID


def event_of(view: JobView | BatchView) -> Event:
    """The state of a job or a batch."""
    if isinstance(view, JobView):
        return make_event(job_body(view), view.job.state in FINAL)
    return make_event(batch_body(view), view.state != "running")


class Streams:
    """The streams, by what they tell of. What is not for request threads runs in the thread of the loop alone."""

    def __init__(self, database: Database, wakeup: Wakeup, settings: ApiSettings) -> None:
        self._database, self._wakeup, self._settings = database, wakeup, settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._open: dict[str, tuple[Subject, set[Stream]]] = {}
        self._moved: dict[str, set[str]] = {"job": set(), "batch": set()}
        self._some = {"job": asyncio.Event(), "batch": asyncio.Event()}
        self.count = 0

    @property
    def full(self) -> bool:
        return self.count >= self._settings.streams

    def adopt(self, sock: socket.socket, head: bytes, subject: Subject, first: Event, seen: str) -> None:
        """Takes a connection over, to send it `head` and then the subject's states until the final one."""
        sock.setblocking(False)
        stream = Stream(head, first, seen, lambda gone: self._forget(subject, gone))
        asyncio.run_coroutine_threadsafe(self._begin(sock, subject, stream), self._running())

    def stop(self) -> None:
        """Ends all streams; their clients ask again."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._end_all(), loop)
            thread.join(timeout=5)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._run, args=(self._loop,), name="streams", daemon=True)
                self._thread.start()
            return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        duties = [loop.create_task(duty) for duty in (self._tell("job"), self._tell("batch"), self._beat())]
        loop.run_forever()
        for duty in duties:
            duty.cancel()
        loop.run_until_complete(asyncio.gather(*duties, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    async def _end_all(self) -> None:
        for stream in self._all():
            stream.end()
        await asyncio.sleep(0.2)  # for what is still to be sent
        asyncio.get_running_loop().stop()

    async def _begin(self, sock: socket.socket, subject: Subject, stream: Stream) -> None:
        one = str(subject.id)
        if one not in self._open:
            self._open[one] = subject, set()
            self._wakeup.follow(one, self._told)
        self._open[one][1].add(stream)
        self.count += 1
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: stream, sock)
        except OSError:
            sock.close()
            self._forget(subject, stream)
        self._note(one)  # it may have moved since the request read it

    def _forget(self, subject: Subject, stream: Stream) -> None:
        one = str(subject.id)
        _, streams = self._open.get(one, (subject, set()))
        if stream in streams:
            streams.discard(stream)
            self.count -= 1
            if not streams:
                del self._open[one]
                self._wakeup.unfollow(one, self._told)

    def _told(self, one: str) -> None:
        """Called by the listener's thread."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._note, one)

    def _note(self, one: str) -> None:
        if found := self._open.get(one):
            self._moved[found[0].kind].add(one)
            self._some[found[0].kind].set()

    def _all(self) -> list[Stream]:
        return [stream for _, streams in self._open.values() for stream in streams]

    async def _tell(self, kind: str) -> None:
        """Reads what has moved, again and again, and tells it to the streams that follow it."""
        moved = self._moved[kind]
        while True:
            await self._some[kind].wait()
            now = [moved.pop() for _ in range(min(AT_ONCE, len(moved)))]
            if not moved:
                self._some[kind].clear()
            try:
                subjects = [self._open[one][0] for one in now if one in self._open]
                events = await asyncio.get_running_loop().run_in_executor(None, self._read, kind, subjects)
            except Exception as error:  # noqa: BLE001 - all streams hang on this loop
                log.warning("event streams can't read what has moved (%s); trying again", type(error).__name__)
                for one in now:
                    self._note(one)
                await asyncio.sleep(AGAIN_S)
                continue
            for one, event in events.items():
                for stream in list(self._open[one][1]) if one in self._open else ():
                    stream.tell(event)
            await asyncio.sleep(PAUSE_S[kind])

    def _read(self, kind: str, subjects: Sequence[Subject]) -> dict[str, Event]:
        if not subjects:
            return {}
        owned = [(subject.tenant_id, subject.id) for subject in subjects]
        with self._database.session() as session:
            if kind == "job":
                return {str(view.job.id): event_of(view) for view in find_jobs(session, owned)}
            return {str(view.batch.id): event_of(view) for view in find_batches(session, owned)}

    async def _beat(self) -> None:
        """Looks now and then at everything, in case that a notice was lost."""
        while True:
            await asyncio.sleep(self._settings.stream_heartbeat_s)
            for stream in self._all():
                stream.beat()
                if time.monotonic() - stream.since > self._settings.stream_most_s:
                    stream.end()
            for one in list(self._open):
                self._note(one)
