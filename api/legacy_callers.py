"""Who may use the address of the service before this one, which asked for no key."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from flask import request

from api.auth import allow
from api.errors import Unauthorized
from api.routing import services
from api.settings import is_loopback
from db.tenant import default_tenant

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


def old_caller() -> uuid.UUID:
    """The key's tenant; where no key is asked for, the default one. Unauthorized."""
    settings = services().settings
    if "Authorization" in request.headers or not settings.asks_no_legacy_key:
        return allow("submit").tenant_id
    if settings.legacy_open == "loopback" and not _from_here():
        raise Unauthorized(
            "Without a key this is open to programs on this machine alone, at localhost or 127.0.0.1. From elsewhere, or from "
            "another site's page, send a key as 'Authorization: Bearer <key>'."
        )
    services().limits.take("open")
    with services().database.session() as session:
        return default_tenant(session).id


def _from_here() -> bool:
    """Whether a request is this machine's own, as far as it tells.

    What a proxy lets in comes from elsewhere. A page of another site says so in `Origin`; one whose name was made to stand
    for this machine (DNS rebinding) is its own site to its browser, but asks for a host by that name.
    """
    if any(name in request.headers for name in FORWARDED):
        return False
    origin = request.headers.get("Origin")
    return _names_this_machine(f"//{request.host}") and (origin is None or _names_this_machine(origin))


def _names_this_machine(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
