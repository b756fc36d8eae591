"""Texts into a stack and out as rows. Times end where the database says that the last job ended, not where a poll saw it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.sending import Sender, closed_loop
from gradeline.client import Client
from gradeline.stack import launch
from gradeline.stack.home import Home

# Counting a batch's rows costs the database something: not too often.
POLL_S = 0.5
SECONDS = 3600.0


@dataclass(frozen=True)
class Passage:
    """One way of a number of texts, from the first POST (by this machine's clock) to the last finished row."""

    texts: int
    seconds: float
    submit_s: float

    @property
    def per_s(self) -> float:
        return self.texts / self.seconds


def sender_of(home: Home) -> Sender:
    """A lean client of the home's stack, with its own key."""
    return Sender(home.read()["url"], {"Authorization": f"Bearer {home.key_file.read_text().strip()}"})


def one_batch(home: Home, texts: list[str], **fields: Any) -> Passage:
    """The way a class comes: one POST for all."""
    with launch.client_of(home) as client:
        began = time.time()
        batch = client.submit_batch([{"text": text} for text in texts], **fields)
        submitted = time.time() - began
        done = await_batch(client, batch["id"], len(texts))
    return Passage(len(texts), moment(done["finished_at"]) - began, submitted)


def await_batch(client: Client, batch: str, total: int, seconds: float = SECONDS) -> dict[str, Any]:
    """The batch when its last job has ended; SystemExit unless all have succeeded."""
    deadline = time.monotonic() + seconds
    while (found := client.batch(batch))["state"] == "running":
        if time.monotonic() > deadline:
            raise SystemExit(f"not finished in {seconds:.0f} s: {found['counts']}")
        time.sleep(POLL_S)
    if found["counts"]["succeeded"] != total:
        raise SystemExit(f"not all of {total} succeeded: {found['counts']}")
    return found


def many_batches(home: Home, texts: list[str], size: int, threads: int, **fields: Any) -> Passage:
    """The way many classes come: one POST for each `size` of them, from several threads."""
    classes = [texts[start : start + size] for start in range(0, len(texts), size)]
    sender, began = sender_of(home), time.time()

    def submit(each: list[str]) -> Any:
        return sender.send("POST", "/v1/batches", {"items": [{"text": text} for text in each], **fields})

    answers, submitted = closed_loop(submit, classes, threads)
    with launch.client_of(home) as client:
        done = [await_batch(client, a["id"], len(each)) for a, each in zip(answers, classes, strict=True)]
    return Passage(len(texts), max(moment(batch["finished_at"]) for batch in done) - began, submitted)


def single_jobs(home: Home, texts: list[str], threads: int, **fields: Any) -> Passage:
    """Many callers: one POST a text, from several threads."""
    sender, began = sender_of(home), time.time()
    answers, submitted = closed_loop(lambda t: sender.send("POST", "/v1/jobs", {"text": t, **fields}), texts, threads)
    with launch.client_of(home) as client:
        jobs = await_jobs(client, [answer["id"] for answer in answers])
    return Passage(len(texts), max(moment(job["finished_at"]) for job in jobs) - began, submitted)


def await_jobs(client: Client, ids: list[str], seconds: float = SECONDS) -> list[dict[str, Any]]:
    """The jobs when all queues are empty; SystemExit unless all have succeeded."""
    await_empty(client, seconds)
    wanted, found = set(ids), []
    for job in client.jobs(limit=200):  # newest first
        if job["id"] in wanted:
            found.append(job)
        if len(found) == len(wanted):
            break
    states = {job["state"] for job in found}
    if states != {"succeeded"} or len(found) != len(wanted):
        raise SystemExit(f"not all of {len(wanted)} succeeded: {len(found)} found, {states}")
    return found


def await_empty(client: Client, seconds: float = SECONDS) -> None:
    """Waits until nothing waits and nothing runs."""
    deadline = time.monotonic() + seconds
    while any(queue["waiting"] + queue["running"] for queue in client.queues()):
        if time.monotonic() > deadline:
            raise SystemExit(f"the queues were not empty in {seconds:.0f} s")
        time.sleep(POLL_S)


def moment(iso: str) -> float:
    """Seconds since 1970 of a time as the API writes it."""
    return datetime.fromisoformat(iso).timestamp()
