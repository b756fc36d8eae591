"""Bodies that are nearly right: valid ones of each route with something broken, and broken ones."""

from __future__ import annotations

import gzip
import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.documents import ESSAY, encrypted, pdf, scan, word, zipped
from tests.fuzz.words import KINDS, NOBODY, RAW, text, value

Draw = Any
CRITERION = {
    "name": "Structure", "measures": "Structure", "weight": 1, "min": 0, "max": 6, "step": 1, "description": "d",
    "levels": [{"name": "Weak", "from": 0, "description": "w"}, {"name": "Good", "from": 4}],
}  # fmt: skip
RUBRIC = {"name": "fuzzed", "prompt": "The task?", "criteria": [CRITERION, {"name": "Own"}]}
SETTINGS = {
    "rubric": "default", "prompt": "The task?", "model": None, "device": "any", "allow_degraded": True, "explain": False,
    "callback_url": "https://lms.example/hook", "metadata": {"a": 1},
}  # fmt: skip
EXAMPLE = {"text": "a", "scores": {"Structure": 1}, "scores_2": {"Structure": 2}, "groups": {"gender": "F"}}
JSON: dict[str, Any] = {
    "jobs.submit_job": {**SETTINGS, "text": "A text.", "priority": "bulk", "external_id": "s-1"},
    "jobs.retry_failed_jobs": {"batch": None, "code": "worker_lost", "rubric": "default", "limit": 10},
    "batches.submit_batch": {
        **SETTINGS, "baseline": "none",
        "items": [{"text": "One.", "external_id": "a", "prompt": "Own?", "metadata": {"b": [1]}}, {"text": "Two."}],
    },
    "rubrics.make_rubric": RUBRIC,
    "rubrics.calibrate": {"examples": [EXAMPLE] * 10, "cohort": [{"text": "b"}], "from": None, "model": None},
    "rubrics.activate": {"force": True},
    "reviews.review_job": {"scores": {"Structure": 80}, "comment": "Good.", "reviewer": "t"},
    "reviews.appeal_job": {"reason": "Too low."},
    "reviews.lease_next": {"rubric": "default"},
    "reviews.renew_lease": {"lease": NOBODY},
    "reviews.release_lease": {"lease": NOBODY},
    "webhooks.set_webhook_endpoint": {"url": "https://lms.example/hook", "payload": "full", "enabled": True},
    "legacy.rubric_score": {"student_submission": "A text of some words."},
}  # fmt: skip
ODD_JSON: list[Any] = [{**JSON["jobs.submit_job"], "rubric": RUBRIC}, {"cohort": {"batch": NOBODY}}, [], "a", None, 1]
CSV = b'external_id,text,prompt,group\r\ns-1,"One, two",Own?,A\r\ns-2,Two.,,B\r\n'
GRADED = b"text,Structure,Structure_2,group:gender\n" + b"a,1,2,F\n" * 10 + b"b,,,\n"
CANVAS = (
    b"Rubric Name,Criteria Name,Criteria Description,Criteria Enable Range,Rating Name,Rating Description,Rating Points,"
    b"Rating Name 2,Rating Description 2,Rating Points 2\nCanvas,Structure,d,true,Good,g,4,Weak,w,0\n,Clarity,,false,A,,1\n"
)  # fmt: skip
NDJSON = b'{"text": "One.", "external_id": "a"}\n{"text": "Two.", "metadata": {"n": 1}}\n'
DOCX, PDF = word("A text of some words.", ESSAY, table=["a", "b"]), pdf([ESSAY], [ESSAY], compressed=True)
ZIP = zipped({"class/a.txt": b"One text.", "class/b.docx": DOCX, "c.pdf": PDF, "../d.md": b"x", "e.exe": b"MZ"})
FILES = {"txt": b"One text.", "md": b"# One", "docx": DOCX, "pdf": PDF, "zip": ZIP}
DOCUMENTS = {**FILES, "pdf-locked": encrypted("secret"), "pdf-scan": scan()}
PLAIN = [(b"text/csv", CSV), (b"text/csv", GRADED), (b"text/csv", CANVAS), (b"application/x-ndjson", NDJSON)]
NAMES = [
    "a.txt",
    "a.docx",
    "a.pdf",
    "a.md",
    "a.zip",
    "a.exe",
    "a",
    "",
    "../a.txt",
    "a.txt\\",
    "\xff.txt",
    'a".txt',
    "a" * 300 + ".txt",
]
CHUNKS = [
    b"", b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\r\n", b"\n", b"\r\n\r\n",
    b"--b", b"--b--",
    b"=", b";", b"PK\x05\x06", b"PK\x01\x02", b"%%EOF", b"9" * 400, b"endobj", b"stream", b"<!ENTITY a 'b'>", b"&a;", b"\\u0000",
]  # fmt: skip


@st.composite
def mangled(draw: Draw, good: bytes) -> bytes:
    """Bytes with up to three places broken."""
    made = good
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(made) - 1)))
        end = at + draw(st.sampled_from([0, 1, 2, 4, 8, 64, 10**6]))
        put = draw(st.sampled_from(CHUNKS) | st.binary(max_size=8))
        made = made[:at] + put * draw(st.sampled_from([1, 1, 1, 2, 300])) + made[end:]
    return made


def places(body: Any) -> list[tuple[Any, Any]]:
    """Every place inside a body where something stands."""
    found: list[tuple[Any, Any]] = []
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, each in inside:
        found += [(body, key), *places(each)]
    return found


@st.composite
def near(draw: Draw, good: Any) -> bytes:
    """A JSON body with up to three values changed, left out, renamed, wrapped or added."""
    made = {"": deepcopy(good)}
    for _ in range(draw(st.integers(0, 3))):
        holder, key = draw(st.sampled_from(places(made)))
        how = draw(st.sampled_from(["put", "put", "put", "leave out", "rename", "wrap", "add"]))
        if how == "put":
            holder[key] = deepcopy(draw(value))  # or the next edit would change what is drawn later
        elif how == "wrap":
            holder[key] = [holder[key]]
        elif how == "leave out" and key != "":
            del holder[key]
        elif isinstance(holder, dict) and key != "":
            holder[draw(text)] = holder.pop(key) if how == "rename" else deepcopy(draw(value))
    return encoded(made[""], draw(st.booleans()))


def encoded(body: Any, ascii_: bool) -> bytes:
    """JSON, with what Python would not write in place of its names."""
    made = json.dumps(body, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    for name, raw in RAW.items():
        if name.encode() in made:
            made = made.replace(f'"{name}"'.encode(), raw)
    return made


@st.composite
def form(draw: Draw) -> tuple[str, bytes]:
    """A form with files and fields, its parts in some order."""
    parts = []
    for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
        content = draw(st.sampled_from(sorted(FILES)).flatmap(lambda kind: mangled(FILES[kind])))
        name, field = draw(st.sampled_from(NAMES)), draw(st.sampled_from(["file", "file", "other", "", 'a"b']))
        head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'.encode("latin-1")
        parts.append(head + b"\r\nContent-Type: application/octet-stream\r\n\r\n" + content)
    for _ in range(draw(st.integers(0, 2))):
        field = draw(st.sampled_from([*SETTINGS, "external_id", "baseline", "priority", "text", "colour"]))
        said = draw(text).encode("utf-8", "surrogatepass")
        parts.append(f'Content-Disposition: form-data; name="{field}"\r\n\r\n'.encode() + said)
    whole = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    return "multipart/form-data; boundary=b", draw(mangled(whole) if draw(st.booleans()) else st.just(whole))


@st.composite
def body_for(draw: Draw, endpoint: str) -> tuple[list[tuple[str, str]], bytes]:
    """Headers that say what a body is, and the body."""
    how = draw(st.sampled_from(["own"] * 6 + ["other", "mangled", "plain", "form", "form", "bytes", "none"]))
    own = JSON.get(endpoint)
    kind, body = "application/json", b""
    if how == "own" and own is not None:
        body = draw(near(own))
    elif how == "other":
        body = draw(st.sampled_from([*JSON.values(), *ODD_JSON]).flatmap(near))
    elif how == "mangled":
        body = draw(mangled(encoded(own or {}, True)))
    elif how == "form":
        kind, body = draw(form())
    elif how in ("own", "plain"):
        said, good = draw(st.sampled_from(PLAIN))
        kind, body = said.decode(), draw(mangled(good))
    elif how == "bytes":
        body = draw(st.binary(max_size=200))
    headers = []
    if draw(st.integers(0, 9)) == 0:
        kind = draw(st.sampled_from(KINDS))
    if how != "none" and kind:
        headers.append(("Content-Type", kind))
    if body and draw(st.integers(0, 19)) == 0:
        headers.append(("Content-Encoding", "gzip"))
        body = draw(
            mangled(gzip.compress(body, mtime=0)) if draw(st.booleans()) else st.just(gzip.compress(body, mtime=0))
        )
    return headers, body
