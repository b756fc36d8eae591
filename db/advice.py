"""What to do about a server that can't be reached, in one sentence: for logs and `python -m broker.check`."""

from __future__ import annotations

import logging
import time

log = logging.getLogger(__name__)

# The same is said again after so long: whoever waits for a server asks it every second.
AGAIN_S = 30.0
_told: dict[str, float] = {}

# What PostgreSQL, Redis, Valkey, OpenSSL or the system say, in small letters, and what helps. The first that fits counts.
ADVICE = (
    ("password authentication failed", "the user or the password is wrong"),
    ("wrongpass", "the user or the password is wrong"),
    ("invalid username-password pair", "the user or the password is wrong"),
    ("authentication required", "the server wants a password: write it into the address"),
    (
        "hello must be called with the client already authenticated",
        "the server wants a password: write it into the address",
    ),
    ("noauth", "the server wants a password: write it into the address"),
    ("no password supplied", "the server wants a password: write it into the address"),
    ("can't access one of the keys", "give the user the keys and channels that docs/managed.md lists"),
    ("no permissions to access a key", "give the user the keys and channels that docs/managed.md lists"),
    ("no permissions to access a channel", "give the user the keys and channels that docs/managed.md lists"),
    ("can't access one of the channels", "give the user the keys and channels that docs/managed.md lists"),
    ("no permissions", "give the user the commands that docs/managed.md lists"),
    ("permission denied", "give the user the rights that docs/managed.md lists"),
    ("hostname mismatch", "the certificate is for another name: use the name in it as the address's host"),
    ("ip address mismatch", "the certificate is for another name: use the name in it as the address's host"),
    ("does not match host name", "the certificate is for another name: use the name in it as the address's host"),
    ("certificate has expired", "the server's certificate has expired: it must be renewed"),
    ("root certificate file", "the CA's file is not there: look at sslrootcert"),
    ("no such file", "a file of the address is not there: look at ssl_ca_certs, ssl_certfile, ssl_keyfile"),
    (
        "certificate verify failed",
        "the server's certificate is not signed by the CA that is trusted: name the right CA's file, "
        "by sslrootcert for PostgreSQL and by ssl_ca_certs for Redis",
    ),
    (
        "does not support ssl",
        "the server has no TLS: turn it on there, or leave sslmode out where the network is your own",
    ),
    (
        "wrong version number",
        "the server has no TLS at this port: use its TLS port, or redis:// where the network is your own",
    ),
    (
        "record layer failure",
        "the server has no TLS at this port: use its TLS port, or redis:// where the network is your own",
    ),
    ("handshake", "TLS could not be agreed on: is this the server's TLS port?"),
    ("timed out", "no answer came in time: look at the network between, and at its firewalls"),
    ("timeout", "no answer came in time: look at the network between, and at its firewalls"),
    ("ssl", "TLS could not be agreed on: is this the server's TLS port?"),
    (
        "no pg_hba.conf entry",
        "the server does not let this user in from here: look at pg_hba.conf, and whether it wants TLS",
    ),
    ("no master found", "the Sentinels don't know this master: look at GRADELINE_REDIS_MASTER"),
    ("connection closed by server", "the server hung up: does it want TLS (rediss://) at this port?"),
    ("server closed the connection", "the server hung up: does it want TLS (sslmode) at this port?"),
    ("refused", "nothing listens there: look at host and port, and whether the server runs"),
    ("not known", "there is no host of this name"),
    ("name resolution", "there is no host of this name, or no DNS"),
    ("could not translate host name", "there is no host of this name"),
    ("too many", "the server takes no more connections: raise its limit, or lower GRADELINE_DATABASE_POOL"),
    ("does not exist", "there is no such database or user on this server"),
)


def advice(setting: str, error: BaseException) -> str:
    """`REDIS_URL: the user or the password is wrong (...)`: the setting, what helps, and what was said."""
    said = _said(getattr(error, "orig", None) or error)  # SQLAlchemy adds its own words to a driver's
    known = " ".join(said).lower()
    help_ = next((help_ for words, help_ in ADVICE if words in known), "the server can't be used")
    return f"{setting}: {help_} ({said[0][:300] if said else type(error).__name__})"


def _said(error: BaseException | None) -> list[str]:
    """What an error and those behind it say, each in one line."""
    said = []
    for _ in range(10):
        if error is None:
            break
        if text := " ".join(str(error).split()):
            said.append(text)
        error = error.__cause__ or error.__context__
    return said


def advise(setting: str, error: BaseException) -> None:
    """Logs the advice, unless that was done a moment ago."""
    said = advice(setting, error)
    if time.monotonic() - _told.get(said, -AGAIN_S) >= AGAIN_S:
        _told.clear()
        _told[said] = time.monotonic()
        log.warning("%s", said)
