"""Who is asking: `Authorization: Bearer <key>`, and how often they may.

Every route needs a key unless it is listed here: one that is added and forgotten is closed.
"""

from __future__ import annotations

import threading
import time

from flask import Flask, current_app, g, request
from structlog.contextvars import bind_contextvars

from api.errors import Forbidden, Unauthorized
from api.limits import Limits
from db.session import Database
from db.tenant import Caller, find_caller

# A key that is revoked stops within this time; until then no request asks the database for it again.
REMEMBER_S = 3.0
REMEMBERED = 1000
OPEN = ("/healthz", "/readyz", "/openapi.json", "/docs", "/health", "/rubric-info")
# They decide by themselves (`api/legacy.py`, `api/metrics.py`).
BY_ITSELF = ("/llm/rubric-score", "/metrics")


class Keys:
    """Callers by key, remembered for a few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, Caller]] = {}
        self._lock = threading.Lock()

    def caller(self, token: str) -> Caller:
        """The owner of a key, or Unauthorized."""
        now = time.monotonic()
        known = self._known.get(token)
        if known and known[0] > now:
            return known[1]
        with self._database.session() as session:
            caller = find_caller(session, token)
        if caller is None:
            raise Unauthorized("This key is not valid: it is unknown, expired or revoked.")
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[token] = (now + REMEMBER_S, caller)
        return caller


def install(app: Flask) -> None:
    """Puts the look at the key before everything that reads a request."""
    app.before_request(_come_in)


def allow(scope: str) -> Caller:
    """The caller, if the key covers the scope. Unauthorized without a valid key, Forbidden without the scope."""
    caller = identify()
    if not caller.may(scope):
        raise Forbidden(f"This key does not have the scope '{scope}'.")
    return caller


def identify() -> Caller:
    """The owner of the request's key, counted once a request. Unauthorized, RateLimited."""
    if "caller" not in g:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Unauthorized("Send your key as 'Authorization: Bearer <key>'.")
        services = current_app.extensions["gradeline"]
        keys: Keys = services.keys
        limits: Limits = services.limits
        caller = keys.caller(token.strip())
        limits.take(str(caller.key_id))
        g.caller = caller
        bind_contextvars(tenant=caller.tenant)
    found: Caller = g.caller
    return found


def _come_in() -> None:
    rule = request.url_rule.rule if request.url_rule else None
    if rule is None or request.method == "OPTIONS" or rule in (*OPEN, *BY_ITSELF) or rule.startswith("/docs/"):
        return
    identify()
