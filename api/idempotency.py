"""`Idempotency-Key`: a hand-in that is sent again answers with what the first one made."""

from __future__ import annotations

import hashlib
import re
import uuid

from flask import Response, request
from sqlalchemy.orm import Session

from api.errors import InvalidRequest
from db import idempotency
from db.idempotency import Keyed

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
LONGEST = 255
# RFC 9651's strings are quoted and escape quotes and backslashes; most clients send the bare key.
QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
VISIBLE = re.compile(r"[\x20-\x7e\xa1-\xff]+")
# The same for the document.
WRITTEN = (
    r"^(?:[!#-~\xa1-\xff][ -~\xa1-\xff]{0,253}[!-~\xa1-\xff]|[!#-~\xa1-\xff]|"
    r'"(?:[ !#-\[\]-~\xa1-\xff]|\\["\\]){1,255}")$'
)


class Once:
    """The request at hand, which makes something once if it has a key. One object a request, used in one transaction."""

    def __init__(self, tenant_id: uuid.UUID, fingerprint: bytes | None = None) -> None:
        """`fingerprint` is that of a body that is not in memory (`digest_of_kind`)."""
        self.replayed = False
        key = read_key(request.headers.get(HEADER))
        route = f"{request.method} {request.url_rule.rule if request.url_rule else request.path}"
        self._asked = None if key is None else Keyed(tenant_id, route, key, fingerprint or _fingerprint())

    @property
    def keyed(self) -> bool:
        return self._asked is not None

    def find_made(self, session: Session) -> uuid.UUID | None:
        """What the same request made before; None for the first. KeyInFlight, KeyMismatch."""
        made = idempotency.find_made(session, self._asked) if self._asked else None
        self.replayed = made is not None
        return made

    def keep(self, session: Session, made: uuid.UUID) -> None:
        """Remembers what it made, in the same transaction. KeyInFlight when a twin was quicker."""
        if self._asked:
            idempotency.keep(session, self._asked, made)

    def mark(self, response: Response) -> Response:
        """Says in the answer whether it is an earlier one's."""
        if self.replayed:
            response.headers[REPLAYED] = "true"
        return response


def read_key(header: str | None) -> str | None:
    """The key in a header, quoted or bare; None without one, InvalidRequest for one that can't be."""
    if header is None:
        return None
    bare = header.strip(" \t")
    if bare.startswith('"'):
        quoted = QUOTED.fullmatch(bare)
        bare = re.sub(r"\\(.)", r"\1", quoted.group(1)) if quoted else ""
    if len(bare) > LONGEST or not VISIBLE.fullmatch(bare):
        message = f"must be 1 to {LONGEST} visible characters, bare or quoted"
        raise InvalidRequest(f"{HEADER} {message}.", [{"loc": [HEADER], "msg": message}])
    return bare


def digest_of_kind() -> hashlib._Hash:
    """What a request's fingerprint begins with: how the body is to be understood. The body comes after it."""
    # Not what comes after the type: a form's boundary is another one at each sending, and a charset changes nothing.
    return hashlib.sha256(f"{request.mimetype}?{request.query_string.decode('latin-1')}\n".encode())


def _fingerprint() -> bytes:
    digest = digest_of_kind()
    digest.update(request.get_data())
    return digest.digest()
