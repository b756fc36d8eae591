"""Many texts in one body, as each kind that `POST /v1/batches` takes, and what the process that takes it grows by."""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx

WORDS = "phones school because students should lesson break teacher parents distract people think".split()
# Ten thousand of them are a little less than 64 MiB; a .zip has more beside its texts.
CHARACTERS, ZIPPED = 6100, 6000


def texts(count: int, characters: int = CHARACTERS) -> Iterator[str]:
    choose = random.Random(1)
    for _ in range(count):
        yield " ".join(choose.choices(WORDS, k=characters // 7))


def as_json(out: IO[bytes], count: int) -> None:
    """What is said beside the items comes last: a reader may not wait for it, nor forget it."""
    out.write(b'{"items": [')
    for n, text in enumerate(texts(count)):
        out.write((b", " if n else b"") + json.dumps({"text": text, "external_id": f"s-{n}"}).encode())
    out.write(b'], "prompt": "Shared?"}')


def as_ndjson(out: IO[bytes], count: int) -> None:
    for n, text in enumerate(texts(count)):
        out.write(json.dumps({"text": text, "external_id": f"s-{n}"}).encode() + b"\n")


def as_csv(out: IO[bytes], count: int) -> None:
    lines = io.TextIOWrapper(out, newline="", write_through=True)
    writer = csv.writer(lines)
    writer.writerow(["external_id", "text", "group"])
    writer.writerows([f"s-{n}", text, "A"] for n, text in enumerate(texts(count)))
    lines.detach()


def as_zip(out: IO[bytes], count: int) -> None:
    """Files that take as much room packed as unpacked."""
    with zipfile.ZipFile(out, "w") as made:
        for n, text in enumerate(texts(count, ZIPPED)):
            made.writestr(f"s-{n}.txt", text)


# How a body is written, and its type; None: it comes as the file of a form.
Kind = tuple[Callable[[IO[bytes], int], None], str | None]
KINDS: dict[str, Kind] = {
    "JSON": (as_json, "application/json"), "NDJSON": (as_ndjson, "application/x-ndjson"), "CSV": (as_csv, "text/csv"),
    "zip": (as_zip, None),
}  # fmt: skip


def post(http: httpx.Client, kind: Kind, count: int) -> tuple[httpx.Response, float, int]:
    """The answer to a body of so many texts, the seconds until it came, and the bytes that were sent."""
    write, mime = kind
    with tempfile.TemporaryFile() as body:
        write(body, count)
        size = body.tell()
        body.seek(0)
        began = time.perf_counter()
        if mime:
            answer = http.post("/v1/batches", content=body, headers={"Content-Type": mime})
        else:
            answer = http.post("/v1/batches", files={"file": ("class.zip", body)})
        return answer, time.perf_counter() - began, size


class Memory:
    """What a process holds, in MB (Linux: /proc)."""

    def __init__(self, pid: int) -> None:
        self._at = Path(f"/proc/{pid}")

    def begin(self) -> float:
        """Forgets the peak so far; what is held now."""
        (self._at / "clear_refs").write_text("5")
        return self._mb("VmRSS")

    def peak(self) -> float:
        """The most that was held since then."""
        return self._mb("VmHWM")

    def _mb(self, what: str) -> float:
        lines = (self._at / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024 / 1e6
