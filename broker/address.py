"""Where Redis or Valkey is: the one reading of REDIS_URL, for Celery and for clients of our own.

redis://user:password@host:6379/0
rediss://user:password@host:6380/0?ssl_ca_certs=/etc/ssl/redis-ca.pem
sentinel://user:password@one:26379;sentinel://two:26379/0      with GRADELINE_REDIS_MASTER
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from broker.settings import BrokerSettings

TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
SENTINEL_PORT = 26379
# Of all keys: others may use the same Redis.
PREFIX = "gradeline:"


@dataclass(frozen=True)
class Address:
    """A server, or the Sentinels that know it: URLs without options, and what TLS is told; None: no TLS."""

    urls: tuple[str, ...]
    tls: dict[str, Any] | None

    @property
    def by_sentinel(self) -> bool:
        return self.urls[0].startswith("sentinel:")


def read(url: str) -> Address:
    """Reads an address. TLS checks the server's certificate and name unless it is told not to. ValueError."""
    bare: list[str] = []
    told: dict[str, Any] = {}
    for each in url.split(";"):
        address, _, query = each.partition("?")
        bare.append(address)
        told |= dict(parse_qsl(query))
    if unknown := set(told) - set(TLS_OPTIONS):
        raise ValueError(f"REDIS_URL: there is no option {sorted(unknown)[0]}; there are {', '.join(TLS_OPTIONS)}")
    secure = bool(told) or bare[0].startswith("rediss:")
    # Kombu's own reading of rediss:// without options checks nothing.
    tls = {"ssl_cert_reqs": "required", **told} if secure else None
    if tls and "ssl_check_hostname" in tls:
        tls["ssl_check_hostname"] = tls["ssl_check_hostname"].lower() != "false"
    if tls and bare[0].startswith("redis:"):
        raise ValueError("REDIS_URL: it has options of TLS, so it must begin with rediss://")
    return Address(tuple(bare), tls)


def broker_of(settings: BrokerSettings) -> dict[str, Any]:
    """What Celery is told of the address."""
    address = read(settings.redis_url)
    return {"broker_url": ";".join(address.urls), "broker_use_ssl": address.tls}


def transport_of(settings: BrokerSettings) -> dict[str, Any]:
    """What kombu is told of sockets and Sentinels."""
    address = read(settings.redis_url)
    told = {**sockets(settings), "socket_timeout": settings.redis_timeout_s, "retry_on_timeout": True}
    if address.by_sentinel:
        told |= {"master_name": settings.redis_master, "sentinel_kwargs": _to_sentinels(settings, address)}
    return told


def sockets(settings: BrokerSettings) -> dict[str, Any]:
    """What a socket is told so that a connection on which nothing comes back for `silence_s` ends with an error."""
    every = max(1, settings.silence_s // 3)
    wanted = {
        "TCP_KEEPIDLE": every, "TCP_KEEPINTVL": every, "TCP_KEEPCNT": 2, "TCP_USER_TIMEOUT": 1000 * settings.silence_s,
    }  # fmt: skip
    return {
        "socket_connect_timeout": settings.redis_connect_s,
        "socket_keepalive": True,
        # Not every system knows all of them.
        "socket_keepalive_options": {
            getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)
        },
        "health_check_interval": settings.silence_s,
    }


def client_of(settings: BrokerSettings, timeout_s: float) -> redis.Redis:
    """A client of our own. It connects at its first use, asks once and waits no longer than `timeout_s` for anything."""
    address = read(settings.redis_url)
    told = {
        **sockets(settings), "socket_timeout": timeout_s, "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0), **(address.tls or {}),
    }  # fmt: skip
    if not address.by_sentinel:
        return redis.Redis.from_url(address.urls[0], **told)
    first = urlsplit(address.urls[0])
    nodes = [(each.hostname or "127.0.0.1", each.port or SENTINEL_PORT) for each in map(urlsplit, address.urls)]
    found = Sentinel(nodes, sentinel_kwargs=_to_sentinels(settings, address, timeout_s))
    login = {"username": first.username, "password": first.password, "db": int(first.path.strip("/") or 0)}
    return found.master_for(settings.redis_master, **login, **told, ssl=address.tls is not None)  # type: ignore[no-any-return]


def _to_sentinels(settings: BrokerSettings, address: Address, timeout_s: float | None = None) -> dict[str, Any]:
    """Sentinels are spoken to as their master is, with a password of their own."""
    within = timeout_s or settings.redis_connect_s
    login = {"password": settings.redis_sentinel_password} if settings.redis_sentinel_password else {}
    told = {"socket_timeout": within, "socket_connect_timeout": within, "retry": Retry(NoBackoff(), 0)}
    return {**told, **login, **({"ssl": True, **address.tls} if address.tls else {})}
