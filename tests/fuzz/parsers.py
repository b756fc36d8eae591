"""What reads files, tables and words, one by one: it gives a result or says what is wrong, in its own errors, in time."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from api import canvas, graded_csv
from api.batch_readers import read_csv, read_items, read_ndjson, read_settings
from api.batch_rows import ReadRows
from api.errors import ApiError
from api.idempotency import read_key
from api.zipped import Zipped
from db.cursors import read_cursor
from db.errors import BadCursor
from tests.fuzz.bodies import CANVAS, CSV, DOCUMENTS, GRADED, JSON, NDJSON, ZIP, encoded, mangled, near
from tests.fuzz.words import text
from worker.documents import Limits
from worker.documents.__main__ import serve

EXPECTED = (ApiError, BadCursor)
AGAIN = 3
Reader = Callable[[Any], object]


def _rows(read: Callable[[io.BytesIO], Any]) -> Reader:
    def reader(body: bytes) -> object:
        file = io.BytesIO(body)
        rows = ReadRows(lambda: read(file), None, 100)
        return list(rows)

    return reader


def _items(body: bytes) -> object:
    read_settings(io.BytesIO(body), 100)
    return _rows(read_items)(body)


def _document(kind: str) -> Reader:
    """As the worker's process for files reads one: a library may stumble, and then the answer says so."""

    def reader(body: bytes) -> object:
        asked, told = json.dumps({"kind": kind, "size": len(body)}).encode() + b"\n" + body, io.BytesIO()
        serve(io.BytesIO(asked), told, Limits())
        answer = json.loads(told.getvalue())
        if not (answer.get("text") or answer.get("error")) or "last" in answer:
            raise ValueError(f"said {answer}")
        return answer

    return reader


READERS: dict[str, tuple[st.SearchStrategy[Any], Reader]] = {
    "json": (near(JSON["batches.submit_batch"]) | mangled(encoded(JSON["batches.submit_batch"], False)), _items),
    "ndjson": (mangled(NDJSON), _rows(read_ndjson)),
    "csv": (mangled(CSV), _rows(read_csv)),
    "zip": (mangled(ZIP), lambda body: _rows(lambda file: Zipped(file, 100, 10**5, 10**6).rows())(body)),
    "graded csv": (mangled(GRADED), lambda body: graded_csv.read(io.BytesIO(body), {"Structure": {"min": 0, "max": 6}})),
    "canvas csv": (mangled(CANVAS), lambda body: canvas.read(io.BytesIO(body))),
    "idempotency key": (text, read_key),
    "cursor": (text, read_cursor),
    **{kind: (mangled(body), _document(kind.partition("-")[0])) for kind, body in DOCUMENTS.items() if kind != "zip"},
}  # fmt: skip


class Wrong(Exception):
    """Tells hypothesis that an input is worth making smaller."""


def hunt_parsers(count: int, first_seed: int, hang_s: float) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Gives each reader `count` inputs. The figures by reader, and what was wrong, as small as it can be."""
    findings: dict[str, dict[str, str]] = {}
    figures = {name: _hunt(name, count, first_seed, hang_s, findings) for name in READERS}
    return figures, list(findings.values())


def _hunt(name: str, count: int, first_seed: int, hang_s: float, findings: dict[str, dict[str, str]]) -> dict[str, Any]:
    inputs, reader = READERS[name]
    done: list[float] = []

    @seed(first_seed)
    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip
    @given(inputs)
    def one(given_: Any) -> None:
        seconds, wrong = _read(reader, given_)
        done.append(seconds)
        if not wrong and seconds > hang_s:
            fastest = min(_read(reader, given_)[0] for _ in range(AGAIN))
            wrong = f"{fastest:.1f} s" if fastest > hang_s else ""
        if wrong:
            findings[name] = {"endpoint": f"reader of {name}", "what": wrong, "detail": "", "curl": repr(given_)}
            raise Wrong

    with suppress(Wrong):
        one()
    return {"inputs": len(done), "max_ms": round(max(done, default=0) * 1000, 1)}


def _read(reader: Reader, given_: Any) -> tuple[float, str]:
    began, wrong = time.perf_counter(), ""
    try:
        reader(given_)
    except EXPECTED:
        pass
    except Exception as error:  # noqa: BLE001 - it is what we look for
        wrong = f"raised {type(error).__name__}"
    return time.perf_counter() - began, wrong
