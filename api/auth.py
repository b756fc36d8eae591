"""Who is asking: `Authorization: Bearer <key>`."""

from __future__ import annotations

import threading
import time

from flask import current_app, g, request

from api.errors import Forbidden, Unauthorized
from db.session import Database
from db.tenant import Caller, find_caller

# A key that is revoked stops within this time; until then no request asks the database for it again.
REMEMBER_S = 3.0
REMEMBERED = 1000


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


def allow(scope: str) -> Caller:
    """The caller, if the key covers the scope. Unauthorized without a valid key, Forbidden without the scope."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthorized("Send your key as 'Authorization: Bearer <key>'.")
    keys: Keys = current_app.extensions["gradeline"].keys
    caller = keys.caller(token.strip())
    if not caller.may(scope):
        raise Forbidden(f"This key does not have the scope '{scope}'.")
    g.caller = caller
    return caller
