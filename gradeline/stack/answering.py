"""Whether each part of a stack answers yet."""

from __future__ import annotations

import httpx
import psycopg
import redis

from gradeline.stack import postgres, valkey
from gradeline.stack.home import Home, Ports


def database_answers(home: Home, ports: Ports) -> bool:
    """Whether PostgreSQL takes connections and has the database, which is made if it must be."""
    try:
        postgres.make_database(home, ports.postgres)
    except psycopg.OperationalError:
        return False
    return True


def broker_answers(home: Home, ports: Ports) -> bool:
    """Whether Valkey answers."""
    with redis.Redis.from_url(valkey.url(home, ports.valkey), socket_timeout=1, socket_connect_timeout=1) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def api_answers(ports: Ports) -> bool:
    """Whether the API is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{ports.api}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def flower_answers(home: Home, ports: Ports) -> bool:
    """Whether Flower is up, with the password of this home."""
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{ports.flower}/healthcheck", auth=("gradeline", home.secret("flower")), timeout=2
        )
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK
