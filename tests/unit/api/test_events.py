"""Event streams on the API's own port, from a job's submission to its end."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import httpx
import pytest

from db import jobs
from db.work import Finished
from gradeline.client import Client
from gradeline.errors import ApiProblem
from tests.unit.api.conftest import end_jobs
from tests.unit.db.test_jobs import RESULT
from tests.waiting import until as until_within

WAIT_S = 120
until = partial(until_within, seconds=WAIT_S)


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict]]:
    """Ids and data of a stream, as they come."""
    one = ""
    for line in response.iter_lines():
        if line.startswith("id: "):
            one = line[4:]
        if line.startswith("data: "):
            yield one, json.loads(line[6:])


@pytest.fixture
def caller(serve, make_key) -> Callable[..., httpx.Client]:
    clients = ExitStack()

    def caller(served=None, key: str | None = None, **settings: object) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key or make_key()}"}
        url = (served or serve(**settings)).url
        limits = httpx.Limits(max_connections=None)
        return clients.enter_context(httpx.Client(base_url=url, headers=headers, timeout=WAIT_S, limits=limits))

    with clients:
        yield caller


def submit(http: httpx.Client, text: str = "A text to follow.") -> str:
    return str(http.post("/v1/jobs", json={"text": text}).raise_for_status().json()["id"])


@contextmanager
def following(http: httpx.Client, path: str, **headers: str) -> Iterator[httpx.Response]:
    with http.stream("GET", path, headers=headers) as response:
        yield response


def test_a_job_is_followed_from_its_queue_to_its_scores(caller, database):
    http = caller()
    job = submit(http)
    with following(http, f"/v1/jobs/{job}/events", **{"X-Request-ID": "mine"}) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-request-id"] == "mine" and response.headers["cache-control"] == "no-store"
        events = events_of(response)
        assert next(events)[1]["state"] == "queued"
        held = []
        while not held:  # one that is being marked as sent at this moment is claimed a moment later
            with database.session() as session:
                held = jobs.claim(session, [uuid.UUID(job)], "w", 60)
        assert next(events)[1]["state"] == "running"
        with database.session() as session:
            jobs.finish(session, [Finished(held[0].id, held[0].attempt, {}, RESULT)], "m", "r")
        _, last = next(events)
        assert last == http.get(f"/v1/jobs/{job}").json() and last["state"] == "succeeded"
        assert list(events) == []  # the stream has ended


def test_a_finished_job_is_told_at_once_and_once(caller, database):
    http = caller()
    job = submit(http)
    end_jobs(database, [job], RESULT)
    with following(http, f"/v1/jobs/{job}/events") as response:
        [(one, body)] = events_of(response)
    assert body["state"] == "succeeded"
    # Who has seen the end is told not to ask again; who has seen something else gets it.
    assert http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": one}).status_code == 204
    with following(http, f"/v1/jobs/{job}/events", **{"Last-Event-ID": "another"}) as response:
        assert [each for each, _ in events_of(response)] == [one]


def test_a_reader_who_comes_again_gets_what_came_since_and_nothing_twice(caller, database):
    http = caller()
    job = submit(http)
    with following(http, f"/v1/jobs/{job}/events") as response:
        seen, _ = next(events_of(response))
    with following(http, f"/v1/jobs/{job}/events", **{"Last-Event-ID": seen}) as response:
        end_jobs(database, [job], error={"code": "unscorable"})
        states = [body["state"] for _, body in events_of(response)]
    assert states[-1] == "failed" and "queued" not in states


def test_a_batch_is_followed_by_its_counts(caller, database):
    http = caller()
    made = http.post("/v1/batches", json={"items": [{"text": f"Text {n}."} for n in range(5)]}).json()
    ids = [job["id"] for job in http.get("/v1/jobs", params={"batch": made["id"]}).json()["items"]]
    with following(http, f"/v1/batches/{made['id']}/events") as response:
        events = events_of(response)
        assert next(events)[1]["counts"]["queued"] == 5
        end_jobs(database, ids[:2], RESULT)
        while next(events)[1]["counts"]["succeeded"] < 2:
            pass
        http.post(f"/v1/batches/{made['id']}/cancel").raise_for_status()
        *_, (_, last) = events
    assert last["state"] == "cancelled" and last["counts"]["cancelled"] == 3
    assert last == http.get(f"/v1/batches/{made['id']}").json()


def test_streams_ask_for_a_key_and_show_no_others_jobs(caller, serve, make_key):
    served = serve()
    http, other = caller(served), caller(served)
    job = submit(http)
    assert httpx.get(f"{served.url}/v1/jobs/{job}/events").status_code == 401
    assert caller(served, make_key("submit")).get(f"/v1/jobs/{job}/events").status_code == 403
    assert other.get(f"/v1/jobs/{job}/events").status_code == 404
    assert http.get(f"/v1/batches/{job}/events").status_code == 404
    assert http.get("/v1/jobs/none/events").status_code == 404


def test_five_hundred_streams_leave_the_threads_free_and_all_see_their_end(caller, serve, database):
    served = serve(api_threads=4, streams=500)
    http = caller(served)
    ids = [submit(http, f"Text {n}.") for n in range(500)]
    before = served.worker.memory_info().rss
    ended: dict[str, str] = {}
    with ExitStack() as open_streams:
        streams = {job: open_streams.enter_context(following(http, f"/v1/jobs/{job}/events")) for job in ids}
        refused = http.get(f"/v1/jobs/{ids[0]}/events")
        assert refused.status_code == 503 and refused.json()["code"] == "overloaded" and refused.headers["retry-after"]
        assert http.get(f"/v1/jobs/{ids[0]}").status_code == 200  # four threads, and not one of them is held
        assert served.worker.memory_info().rss - before < 60 * 2**20
        end_jobs(database, ids, RESULT)
        for job, response in streams.items():
            *_, (_, last) = events_of(response)
            ended[job] = last["state"]
    assert set(ended.values()) == {"succeeded"} and len(ended) == 500
    until(lambda: http.get(f"/v1/jobs/{ids[0]}/events").status_code == 200)  # there is room again


def test_a_quiet_stream_beats_and_a_reader_who_leaves_is_forgotten(caller):
    http = caller(stream_heartbeat_s=0.2, streams=1)
    job = submit(http)
    with following(http, f"/v1/jobs/{job}/events") as response:
        lines = response.iter_lines()
        assert [line for _, line in zip(range(20), lines, strict=False)].count(":") > 3
        assert http.get(f"/v1/jobs/{job}/events").status_code == 503
    until(lambda: status(http, f"/v1/jobs/{job}/events") == 200)


def test_a_stream_is_ended_after_its_time_so_that_its_key_is_looked_at_again(caller):
    http = caller(stream_heartbeat_s=0.1, stream_most_s=0.5)
    with following(http, f"/v1/jobs/{submit(http)}/events") as response:
        assert [body["state"] for _, body in events_of(response)] == ["queued"]


def test_a_reader_who_takes_nothing_is_kept_one_state_and_no_more(caller, serve, database, make_key):
    served = serve()
    key = make_key()
    http = caller(served, key)
    items = [{"text": f"Text {n}.", "metadata": {"n": n}} for n in range(40)]
    body = {"items": items, "metadata": {"long": "x" * 15_000}}
    made = http.post("/v1/batches", json=body).raise_for_status().json()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", httpx.URL(served.url).port))
        path = f"/v1/batches/{made['id']}/events"
        slow.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        ids = [job["id"] for job in http.get("/v1/jobs", params={"batch": made["id"]}).json()["items"]]
        for n in range(0, 40, 2):
            end_jobs(database, ids[n : n + 2], RESULT)
            time.sleep(0.05)
        until(lambda: http.get(f"/v1/batches/{made['id']}").json()["state"] == "finished")
        slow.settimeout(WAIT_S)
        with slow.makefile("rb") as read:
            data = [json.loads(line[6:]) for line in read if line.startswith(b"data: ")]
    assert data[-1]["state"] == "finished" and data[-1]["counts"]["succeeded"] == 40


def test_a_stopping_server_ends_its_streams(caller, serve):
    served = serve()
    http = caller(served)
    with following(http, f"/v1/jobs/{submit(http)}/events") as response:
        events = events_of(response)
        next(events)
        served.process.terminate()
        assert list(events) == []
    assert served.process.wait(timeout=60) == 0


def test_a_job_that_is_erased_ends_its_stream(caller, database):
    http = caller()
    job = submit(http)
    with following(http, f"/v1/jobs/{job}/events") as response:
        assert http.delete(f"/v1/jobs/{job}").status_code == 204
        *_, (_, last) = events_of(response)
    assert last["state"] == "cancelled" and last["erased_at"]


def test_the_client_follows_jobs_and_batches_and_takes_up_streams_that_end(serve, make_key, database):
    with Client(serve(stream_heartbeat_s=0.1, stream_most_s=0.3).url, make_key()) as client:
        job = client.submit("A text to follow.")
        states = []
        for body in client.events(job):
            states.append(body["state"])
            if states == ["queued"]:
                time.sleep(1)  # the stream ends meanwhile
                end_jobs(database, [job["id"]], RESULT)
        assert states[0] == "queued" and states[-1] == "succeeded"
        assert [body["state"] for body in client.events(job)] == ["succeeded"]
        batch = client.submit_batch([{"text": "One."}, {"text": "Two."}])
        client.cancel_batch(batch["id"])
        [last] = client.events(batch)
        assert last["state"] == "cancelled" and last["counts"]["cancelled"] == 2
        with pytest.raises(ApiProblem):
            list(client.events({"id": str(uuid.uuid4())}))


def test_a_server_that_cannot_hand_over_ends_the_stream_after_its_first_event(api):
    job = api("POST", "/v1/jobs", json={"text": "A text."}).get_json()["id"]
    answer = api("GET", f"/v1/jobs/{job}/events")
    assert answer.status_code == 200 and answer.mimetype == "text/event-stream"
    assert answer.get_data(as_text=True).count("data: ") == 1


def status(http: httpx.Client, path: str) -> int:
    with http.stream("GET", path) as response:
        return response.status_code
