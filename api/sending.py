"""One HTTP request to an address that a tenant named: looked up once, checked, and then gone to and nowhere else."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from api.addresses import Allowed

CONNECT_S = 5.0
# Nobody reads what an endpoint says beside its status; this much is taken so that it can say it.
MOST_BYTES = 65_536


class Refused(Exception):
    """Raised when an address is not one that webhooks may go to. Trying again is of no use."""


class Unsent(Exception):
    """Raised when no answer came. The message is for the tenant: it tells no address."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered; `retry_after` as it said it."""

    status: int
    retry_after: str = ""


class Sender:
    """Sends. No redirects, no proxies, no cookies, one connection a request, and all of it within one time."""

    def __init__(self, allowed: Allowed, timeout_s: float) -> None:
        self._allowed, self._timeout_s = allowed, timeout_s
        self._tls = httpx.create_ssl_context(trust_env=False)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer of `url` to a body. Refused or Unsent when there is none."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise Refused("this is not the address of a website") from error
        if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo:
            raise Refused("this is not the address of a website, or it holds a password")
        network = Pinned(self._allowed, time.monotonic() + self._timeout_s)
        own = {"Host": parsed.netloc.decode("ascii"), "Content-Length": str(len(body)), "Connection": "close"}
        where = httpcore.URL(
            scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path
        )  # not parsed again: two readings of an address could differ
        try:
            return self._ask(network, where, {**own, **headers}, body)
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise Unsent("no answer in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
            # A name that is not known, a port that nobody listens on and a bad certificate look different to its owner.
            raise Unsent(_in_words(error)) from error

    def _ask(self, network: Pinned, where: httpcore.URL, headers: Mapping[str, str], body: bytes) -> Answer:
        with httpcore.ConnectionPool(ssl_context=self._tls, network_backend=network) as pool:
            sent = pool.stream("POST", where, headers=list(headers.items()), content=body)
            with sent as response:
                found = Answer(response.status, _header(response.headers, b"retry-after"))
                with contextlib.suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                    _read_some(response.iter_stream())
                return found


def look_up(host: str, port: int) -> list[str]:
    """The addresses that a name stands for now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise httpcore.ConnectError("unknown") from error
    return [str(each[4][0]) for each in found]


def _read_some(parts: Iterable[bytes]) -> None:
    read = 0
    for part in parts:
        read += len(part)
        if read > MOST_BYTES:
            return


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


def _in_words(error: Exception) -> str:
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "the TLS connection failed"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "the host's name is not known"
    return "no connection" if isinstance(error, httpcore.ConnectError) else "the connection broke"


class Pinned(httpcore.NetworkBackend):
    """Connects to what a name stood for when it was looked up, once, and checked. TLS and Host keep the name."""

    def __init__(self, allowed: Allowed, deadline: float) -> None:
        self._allowed, self._deadline = allowed, deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        addresses = look_up(host.strip("[]"), port)
        if not self._allowed(host.strip("[]"), addresses):
            raise Refused("the host's address is not one that webhooks may go to")
        inner = httpcore.SyncBackend()
        for n, address in enumerate(addresses):
            try:
                left = _left(self._deadline, min(timeout or CONNECT_S, CONNECT_S))
                return Timed(inner.connect_tcp(address, port, left, local_address, socket_options), self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if n + 1 == len(addresses):
                    raise
        raise httpcore.ConnectError("unknown")


class Timed(httpcore.NetworkStream):
    """A connection with one time for all: a byte now and then does not make it last longer."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout)
        return Timed(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, timeout: float | None = None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is over")
    return left if timeout is None else min(left, timeout)
