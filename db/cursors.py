"""Where the next page of a list begins, in a form that callers give back and don't look into."""

from __future__ import annotations

import base64
import binascii
import uuid

from db.errors import BadCursor

ID_BYTES = 16


def make_cursor(last: uuid.UUID) -> str:
    """Where the next page of a list begins: after this id."""
    return wrap(last.bytes)


def read_cursor(cursor: str) -> uuid.UUID:
    """The id in a cursor, or BadCursor."""
    return uuid.UUID(bytes=unwrap(cursor, ID_BYTES))


def wrap(place: bytes) -> str:
    """A place in a list that more than an id decides."""
    return base64.urlsafe_b64encode(place).decode().rstrip("=")


def unwrap(cursor: str, size: int) -> bytes:
    """The place in a cursor, which has so many bytes, or BadCursor."""
    try:
        place = base64.b64decode(cursor + "==", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        place = b""
    if len(place) != size:
        raise BadCursor("this cursor was not made by this API; start again without one")
    return place
