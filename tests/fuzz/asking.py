"""Requests for every route of the app, made by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from hypothesis import strategies as st

from tests.fuzz.asked import Asked
from tests.fuzz.bodies import body_for
from tests.fuzz.words import HEADERS, NOBODY, QUERIES, SENSIBLE, header, quoted, text

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "FOO", "PROPFIND"]
TAILS = ["/", "//", "/..", "/%2e%2e", "%00", "%ff", "%0a", ";x", "/x", "%2F", "%", "%zz", "?", "%C0%AF", "%ED%A0%80"]
NAMED_LIKE_IDS = {"batch": "batch_id", "job": "job_id", "calibration": "calibration_id", "rubric": "rubric"}


@dataclass(frozen=True)
class Route:
    """A method of a route of the app."""

    endpoint: str
    rule: str
    method: str


@dataclass
class Known:
    """What is there to be asked for: ids by the name that routes give them, of one's own and of another tenant."""

    keys: list[str]
    own: dict[str, list[str]] = field(default_factory=dict)
    theirs: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)  # cursors and tags, by header or field


def routes_of(app: Flask) -> list[Route]:
    """Every route with each of its methods, and one that is none."""
    found = [
        Route(rule.endpoint, rule.rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    return [*sorted(found, key=lambda r: (r.rule, r.method)), Route("nothing", "/<job_id>", "GET")]


@st.composite
def asked(draw: Any, route: Route, known: Known) -> Asked:
    """A request for a route, mostly by its method, with a good key and ids that are there."""
    method = route.method if draw(st.integers(0, 9)) else draw(st.sampled_from(METHODS))
    headers = [draw(authorization(known))]
    if draw(st.integers(0, 1)):
        names = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3, unique=True))
        headers += [draw(_header(name, known)) for name in names if name != "Authorization"]
    body = b""
    if method not in ("GET", "HEAD") or draw(st.integers(0, 9)) == 0:
        said, body = draw(body_for(route.endpoint))
        headers += [each for each in said if each[0] not in {name for name, _ in headers}]
    query = draw(query_of(known)) if draw(st.integers(0, 9)) < (5 if method == "GET" else 2) else ""
    return Asked(route.endpoint, method, draw(path_of(route, known)), query, tuple(headers), body)


@st.composite
def path_of(draw: Any, route: Route, known: Known) -> str:
    made = ""
    for n, part in enumerate(route.rule.split("<")):
        name, _, rest = part.rpartition(">") if n else ("", "", part)
        made += (draw(_id(name.rpartition(":")[2], known)) if n else "") + rest
    return made + (draw(st.sampled_from(TAILS)) if draw(st.integers(0, 19)) == 0 else "")


def _id(name: str, known: Known) -> st.SearchStrategy[str]:
    own = known.own.get(name) or [NOBODY]
    theirs = known.theirs.get(name) or [NOBODY]
    odd = text.map(quoted) | st.sampled_from(
        [own[0].upper(), f"{own[0]}%20", own[0].replace("-", ""), f"%7B{own[0]}%7D"]
    )
    rare = st.sampled_from(theirs) | odd
    return st.sampled_from(own) | st.sampled_from(own) | st.sampled_from(own) | rare


def authorization(known: Known) -> st.SearchStrategy[tuple[str, str]]:
    """Mostly a key that may everything; sometimes one that may less, or none that is one."""
    full = st.just(("Authorization", f"Bearer {known.keys[0]}"))
    some = st.sampled_from([("Authorization", f"Bearer {key}") for key in known.keys])
    return st.integers(0, 19).flatmap(lambda n: header("Authorization") if n == 0 else some if n < 3 else full)


def _header(name: str, known: Known) -> st.SearchStrategy[tuple[str, str]]:
    words = known.words.get(name)
    usual = header(name)
    return usual | st.sampled_from([(name, each) for each in words]) if words else usual


@st.composite
def query_of(draw: Any, known: Known) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(QUERIES))
        sensible = SENSIBLE.get(name, []) + known.words.get(name, []) + known.own.get(NAMED_LIKE_IDS.get(name, ""), [])
        told = draw(st.sampled_from(sensible)) if sensible and draw(st.booleans()) else draw(text)
        parts.append(quoted(name) + draw(st.sampled_from(["=", "=", "=", "", "=="])) + quoted(told))
    if draw(st.integers(0, 9)) == 0:
        parts.append(
            draw(st.sampled_from(["&", "=", "%", "%00", "%ff=%ff", "a[]=1", ";", "limit=1&limit=2", "a" * 3000]))
        )
    return draw(st.sampled_from(["&", "&", "&&", ";"])).join(parts)
