"""Making a backlog: texts handed in over HTTP, or, where that would take too long, by the same code without HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.texts import texts_of
from broker.queues import queue_name
from broker.settings import EMBEDDED_MODEL
from db import batches
from db.bulk import Manner, NewRow
from db.rubric import default_rubric
from db.session import Database
from db.tenant import default_tenant
from gradeline.client import Client

QUEUE = queue_name(EMBEDDED_MODEL, "any", "bulk")
WORDS = 30
DIFFERENT = 500


class Texts:
    """Short texts without end; each has a number of its own."""

    def __init__(self) -> None:
        self._bodies, self._made = texts_of(DIFFERENT, words=WORDS), 0

    def some(self, count: int) -> list[str]:
        first, self._made = self._made, self._made + count
        return [f"{n} {self._bodies[n % DIFFERENT]}" for n in range(first, self._made)]


def sizes(total: int, batch: int) -> Iterator[int]:
    """Batches that make a total."""
    for start in range(0, total, batch):
        yield min(batch, total - start)


def over_http(client: Client, texts: list[str]) -> float:
    """One batch; milliseconds a job."""
    began = time.perf_counter()
    answer = client.submit_batch([{"text": text} for text in texts])
    spent = time.perf_counter() - began
    if answer["counts"]["total"] != len(texts) or answer["rejected"]:
        raise SystemExit(f"not all of {len(texts)} texts were taken: {answer['counts']}")
    return spent * 1000 / len(texts)


def directly(database: Database, texts: list[str]) -> float:
    """One batch without HTTP and its checks, by the statements that HTTP ends in; milliseconds a job."""
    began = time.perf_counter()
    with database.session() as session:
        manner, rows = Manner(EMBEDDED_MODEL, QUEUE), [NewRow(text) for text in texts]
        batches.submit(session, default_tenant(session).id, default_rubric(session), manner, rows, {}, "none", QUEUE)
    return (time.perf_counter() - began) * 1000 / len(texts)
