"""How a connection leaves gunicorn: an answer of the app takes it, and the worker lets it go.

Gunicorn's gthread worker gives a thread to each request for as long as it is answered. Five hundred streams would be five
hundred threads; so a request that opens a stream gives its connection away, and its thread is free again.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from email.utils import formatdate
from typing import Any

from flask import Flask, Response
from gunicorn.workers.gthread import ThreadWorker

from api.connections import Patient, Told, no_http

# Where gunicorn puts the connection of a request.
SOCKET = "gunicorn.socket"


class HandedOver(OSError):
    """Raised in the middle of an answer, whose connection is somebody else's now."""


def hand_over(response: Response, connection: socket.socket, take: Callable[[socket.socket, bytes], None]) -> Response:
    """Makes a response give its connection to `take`, with its own first lines, when the server begins to send it."""

    def lines() -> Iterator[bytes]:
        taken = socket.socket(fileno=connection.detach())
        take(taken, _head(response))
        raise HandedOver("this connection is an event stream's now")
        yield b""  # what makes this an iterator

    response.response = lines()
    return response


def _head(response: Response) -> bytes:
    """The stream ends with its connection, so it has no length."""
    said = [f"HTTP/1.1 {response.status}", f"Date: {formatdate(usegmt=True)}", "Connection: close"]
    hop = ("content-length", "connection", "transfer-encoding", "date")
    said += [f"{name}: {value}" for name, value in response.headers if name.lower() not in hop]
    return "\r\n".join([*said, "\r\n"]).encode("latin-1")


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's threads, which let go of connections that were handed over, or are too slow, and end the streams when
    they stop."""

    wsgi: Flask

    def enqueue_req(self, conn: Any) -> None:
        if not (conn.initialized or isinstance(conn.sock, Patient)):
            conn.sock = Patient(fileno=conn.sock.detach())
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        if isinstance(conn.sock, Patient):
            conn.sock.expect(self.wsgi.extensions["gradeline"].settings.read_s)
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        told = Told()
        super().handle_error(req, told, addr, exc)
        if getattr(client, "answered", False):
            return  # the app did not need what is broken
        response = no_http(self.wsgi, told.status)
        with contextlib.suppress(OSError):  # it may be gone
            client.sendall(_head(response) + response.get_data())

    def handle_request(self, req: Any, conn: Any) -> bool:
        try:
            return bool(super().handle_request(req, conn))
        except HandedOver:
            return False

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        if conn.sock.fileno() >= 0:
            super().finish_request(conn, fs)
        else:
            self.nr_conns -= 1

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.wsgi.extensions["gradeline"].streams.stop()
            self.wsgi.extensions["gradeline"].traces.stop()
