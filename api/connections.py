"""Connections that no caller can hold for ever, and an answer to what is no HTTP."""

from __future__ import annotations

import errno
import math
import socket
import time
from typing import Any

from flask import Flask, Response, g
from uuid6 import uuid7

from api.problems import problem

# So many bytes give a request another second: a class of 64 MiB may come over a slow line, a byte now and then may not.
BYTES_A_SECOND = 10_000
# A caller who has not taken a piece of an answer for so long is gone.
STUCK_S = 30.0
NO_HTTP = {
    414: ("too_large", "The address is longer than this server reads."),
    431: ("too_large", "The headers are longer than this server reads."),
    500: ("internal", "The request failed."),
}


class Patient(socket.socket):
    """A connection on which a request has a time to arrive, and each piece of an answer one to be taken.

    gunicorn's threads wait for the rest of a request as long as it takes, and there are few of them.
    """

    until = math.inf
    answered = False

    def expect(self, seconds: float) -> None:
        """A request begins: it has so long to arrive, and a second more for each 10 kB."""
        self.until, self.answered = time.monotonic() + seconds, False

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Like any socket's. ConnectionResetError when the time is over."""
        left, usual = self.until - time.monotonic(), self.gettimeout()
        if left <= 0:
            raise _too_slow()
        self.settimeout(min(left, math.inf if usual is None else usual) if left < math.inf else usual)
        try:
            got = super().recv(size, flags)
        except TimeoutError as error:
            raise _too_slow() from error
        finally:
            self.settimeout(usual)
        self.until += len(got) / BYTES_A_SECOND
        return got

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Like any socket's. ConnectionResetError when nobody takes it."""
        self.answered = True
        usual = self.gettimeout()
        self.settimeout(STUCK_S if usual is None else usual)
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise _too_slow() from error
        finally:
            self.settimeout(usual)


def _too_slow() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "the other side is too slow")


class Told:
    """Stands for a connection while gunicorn answers what is no HTTP, so that its page is not sent."""

    status = 500

    def gettimeout(self) -> float:
        return 0.0

    def sendall(self, data: bytes) -> None:
        self.status = int(data.split(None, 2)[1])


def no_http(app: Flask, status: int) -> Response:
    """The problem of a request that never came as far as the app. It quotes nothing."""
    code, detail = NO_HTTP.get(status, ("malformed", "This is not HTTP that can be read."))
    # An encoding that nobody knows is the caller's mistake, though RFC 9112 would have it a 501.
    status = 400 if status > 500 else status
    with app.app_context():
        g.request_id = uuid7().hex
        return problem(code, detail, status=status)
