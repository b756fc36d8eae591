"""The API from Python."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from gradeline.errors import ApiProblem, ClientError, Unreachable
from gradeline.rubrics import Rubrics
from gradeline.waiting import outlast

Json = dict[str, Any]
FINAL = ("succeeded", "failed", "cancelled")
POLL_S = 0.2
# Ten thousand texts of a batch take their server seconds.
BATCH_S = 120.0
LINES = {".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}
# A server that restarts is back in seconds.
HAND_IN_AGAIN_S = (0.5, 1.0, 2.0)
PASSING = ("unavailable", "idempotency_in_flight")
# An event stream says something every 15 seconds.
SILENT_S = 60.0


class Client:
    """One caller of one API. Every call has a timeout and raises ApiProblem or Unreachable."""

    def __init__(self, url: str, key: str, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)
        self.rubrics = Rubrics(self._call, self._answer)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(self, text: str, **fields: Any) -> Json:
        """Stores a text; returns its job, which is not graded yet. The fields are those of `POST /v1/jobs`."""
        return self._hand_in("/v1/jobs", json={"text": text, **fields})

    def submit_file(self, path: Path | str, **fields: Any) -> Json:
        """Stores a .txt, .md, .docx or .pdf file, which a worker reads; returns its job. The fields are those of `submit`."""
        with Path(path).open("rb") as file:
            return self._hand_in("/v1/jobs", files={"file": (Path(path).name, file)}, data=as_strings(fields))

    def get(self, job_id: str, wait: float | None = None) -> Json:
        """A job; with `wait`, as soon as it is finished or after so many seconds."""
        headers = {"Prefer": f"wait={int(wait)}"} if wait else {}
        timeout = (wait or 0) + 30.0
        return self._call("GET", f"/v1/jobs/{job_id}", headers=headers, timeout=timeout)

    def jobs(self, **filters: Any) -> Iterator[Json]:
        """All jobs that fit, newest first, page after page."""
        cursor: str | None = None
        while True:
            query = {**filters, **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", "/v1/jobs", params=query)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def wait_for(
        self,
        ids: Iterable[str],
        seconds: float = 3600.0,
        on_done: Callable[[Json], None] = lambda _: None,
        on_away: Callable[[ClientError], None] = lambda _: None,
    ) -> dict[str, Json]:
        """Finished jobs by id, each told to `on_done` as it ends. TimeoutError when some have not ended in time.

        While nobody answers it asks again, and tells `on_away` why; Unreachable when that lasts to the end of the time.
        """
        left, done, deadline = list(ids), dict[str, Json](), time.monotonic() + seconds
        while left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(left)} jobs were not finished in {seconds:.0f} s")
            job = outlast(partial(self.get, left[0], wait=5), deadline, on_away)
            if job["state"] in FINAL:
                done[job["id"]] = job
                left.pop(0)
                on_done(job)
            else:
                time.sleep(POLL_S)
        return done

    def events(self, job_or_batch: Json) -> Iterator[Json]:
        """The states of a job or a batch, as `submit` or `submit_batch` returned it, when they come, to the final one.

        A stream that breaks is taken up where it ended; Unreachable when nobody answers for a few seconds.
        """
        path = f"/v1/{'batches' if 'counts' in job_or_batch else 'jobs'}/{job_or_batch['id']}/events"
        seen, failures = "", 0
        while True:
            try:
                for one, body in self._stream(path, seen):
                    seen, failures = one, 0
                    yield body
                    if body["state"] not in ("queued", "running"):
                        return
            except (httpx.TransportError, ApiProblem) as error:
                if isinstance(error, ApiProblem) and error.code not in PASSING:
                    raise
                if failures == len(HAND_IN_AGAIN_S):
                    raise self._unreachable(error) from error
                failures += 1
            time.sleep(HAND_IN_AGAIN_S[failures - 1] if failures else POLL_S)

    def _stream(self, path: str, seen: str) -> Iterator[tuple[str, Json]]:
        """Ids and data of one connection's events."""
        headers = {"Last-Event-ID": seen} if seen else {}
        with self._http.stream("GET", path, headers=headers, timeout=httpx.Timeout(30.0, read=SILENT_S)) as response:
            if not response.is_success:
                response.read()
                raise self._problem(response)
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    seen = value
                elif name == "data":
                    yield seen, dict(json.loads(value))

    def cancel(self, job_id: str) -> Json:
        return self._call("POST", f"/v1/jobs/{job_id}/cancel")

    def retry(self, job_id: str) -> Json:
        return self._call("POST", f"/v1/jobs/{job_id}/retry")

    def retry_failed(self, **filters: Any) -> int:
        """Queues failed jobs again; returns how many. The filters are those of `POST /v1/jobs/retry`."""
        return int(self._call("POST", "/v1/jobs/retry", json=filters)["retried"])

    def erase(self, job_id: str) -> None:
        self._call("DELETE", f"/v1/jobs/{job_id}")

    def submit_batch(self, items: Iterable[Json], **fields: Any) -> Json:
        """Stores many texts, `{"text", "external_id"}` each; returns their batch, with `rejected` for those not taken.

        The fields are those of `POST /v1/batches`; `jobs(batch=id)` lists what has become of each.
        """
        return self._hand_in("/v1/batches", json={"items": list(items), **fields}, timeout=BATCH_S)

    def submit_batch_file(self, path: Path | str, **fields: Any) -> Json:
        """Stores a class from a .csv, an .ndjson (or .jsonl) or a .zip of files; it is sent without being read into memory.

        Returns its batch as `submit_batch` does, and takes the same fields.
        """
        kind, settings = LINES.get(Path(path).suffix.lower()), as_strings(fields)
        with Path(path).open("rb") as file:
            if kind is None:
                files = {"file": (Path(path).name, file)}
                return self._hand_in("/v1/batches", files=files, data=settings, timeout=BATCH_S)
            return self._hand_in("/v1/batches", content=file, params=settings, type_=kind, timeout=BATCH_S)

    def results(self, batch_id: str, format_: str = "ndjson") -> Iterator[bytes]:
        """What has become of every text of a batch, in the order of its rows, in pieces: json, ndjson, csv or xlsx."""
        query = {"format": format_}
        try:
            with self._http.stream("GET", f"/v1/batches/{batch_id}/results", params=query, timeout=BATCH_S) as response:
                if not response.is_success:
                    response.read()
                    raise self._problem(response)
                yield from response.iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def batch_jobs(self, batch_id: str) -> list[Json]:
        """The jobs of a batch in the order of its rows."""
        return [json.loads(line) for line in b"".join(self.results(batch_id)).splitlines()]

    def wait_for_batch(
        self,
        batch_id: str,
        seconds: float = 3600.0,
        on_move: Callable[[Json], None] = lambda _: None,
        on_away: Callable[[ClientError], None] = lambda _: None,
    ) -> Json:
        """The batch when all its jobs have ended, told to `on_move` now and then. TimeoutError when that takes longer.

        While nobody answers it asks again, and tells `on_away` why; Unreachable when that lasts to the end of the time.
        """
        deadline = time.monotonic() + seconds
        ask = partial(self.batch, batch_id)
        while (batch := outlast(ask, deadline, on_away))["state"] == "running":
            on_move(batch)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the batch {batch_id} was not finished in {seconds:.0f} s")
            time.sleep(5 * POLL_S)
        on_move(batch)
        return batch

    def batch(self, batch_id: str) -> Json:
        """A batch: its state, counts by state, and seconds to its end."""
        return self._call("GET", f"/v1/batches/{batch_id}")

    def cancel_batch(self, batch_id: str) -> Json:
        return self._call("POST", f"/v1/batches/{batch_id}/cancel", timeout=BATCH_S)

    def review(self, job_id: str, scores: dict[str, float], tag: str | None = None, **fields: Any) -> Json:
        """Puts a person's points beside the machine's. `tag`, the ETag of the job as it was read, guards against a second
        person: ApiProblem `precondition_failed`. The fields are `comment` and `reviewer`."""
        headers = {"If-Match": tag} if tag else {}
        return self._call("PUT", f"/v1/jobs/{job_id}/review", json={"scores": scores, **fields}, headers=headers)

    def appeal(self, job_id: str, reason: str) -> Json:
        """Puts a job at the head of the queue of reviews."""
        return self._call("POST", f"/v1/jobs/{job_id}/appeal", json={"reason": reason})

    def next_review(self, rubric: str | None = None) -> Json:
        """The job that most needs a person, in hand for 30 minutes: `{"lease", "job"}`, both None when none waits."""
        return self._call("POST", "/v1/reviews/lease", json={"rubric": rubric} if rubric else {})

    def models(self) -> list[Json]:
        return list(self._call("GET", "/v1/models")["items"])

    def workers(self) -> list[Json]:
        return list(self._call("GET", "/v1/workers")["items"])

    def queues(self) -> list[Json]:
        return list(self._call("GET", "/v1/queues")["items"])

    def ready(self) -> Json:
        """What `/readyz` says; `ready` is False while the database or the broker is away."""
        return dict(self._send("GET", "/readyz").json())

    def _hand_in(self, path: str, type_: str | None = None, **options: Any) -> Json:
        """Tried again when no answer comes: with its own key, the same hand-in makes nothing twice."""
        headers = {"Idempotency-Key": uuid.uuid4().hex, **({"Content-Type": type_} if type_ else {})}
        for pause in HAND_IN_AGAIN_S:
            try:
                return self._call("POST", path, headers=headers, **options)
            except (Unreachable, ApiProblem) as error:
                if isinstance(error, ApiProblem) and error.code not in PASSING:
                    raise
                time.sleep(pause)
                if "content" in options:
                    options["content"].seek(0)  # httpx starts the files of a form anew by itself
        return self._call("POST", path, headers=headers, **options)

    def _call(self, method: str, path: str, **options: Any) -> Json:
        response = self._answer(method, path, **options)
        try:
            return dict(response.json()) if response.content else {}
        except (ValueError, TypeError) as error:
            raise self._stranger(response) from error

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = self._send(method, path, **options)
        if response.is_success:
            return response
        raise self._problem(response)

    def _problem(self, response: httpx.Response) -> ApiProblem:
        try:
            problem = response.json()
            status, errors = response.status_code, problem.get("errors", [])
            return ApiProblem(status, str(problem["code"]), str(problem["detail"]), errors)
        except (ValueError, KeyError, TypeError, AttributeError):
            return self._stranger(response)

    def _stranger(self, response: httpx.Response) -> ApiProblem:
        said = f"{self.url} does not answer like Gradeline: is the address right?"
        return ApiProblem(response.status_code, "unknown", said)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        kind = type(error).__name__
        return Unreachable(f"no answer from {self.url} ({kind}): is it running? `gradeline status` tells")


def as_strings(fields: Json) -> dict[str, str]:
    """Fields as forms and query strings carry them: objects as JSON, and none for None."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
        if value is not None
    }
