"""An app on real servers with two tenants' rows in it: what the requests are for."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask

from api.app import create_app
from api.settings import ApiSettings
from db import jobs
from db.calibration import Calibration
from db.session import Database
from db.tenant import SCOPES, create_key
from db.work import Finished
from tests.fuzz.asked import Answer, Asked, ask
from tests.fuzz.asking import Known
from tests.fuzz.bodies import EXAMPLE
from tests.tenants import new_tenant
from tests.unit.api.test_reviews import result

# Nobody grades here: what waits would wait for ever.
SETTINGS = {"wait_max_s": 0.05, "rate_read": 0, "rate_submit": 0, "host": "127.0.0.1"}
HOOK = "https://lms.example/hook"


@dataclass(frozen=True)
class Rows:
    """A tenant, its key, and how it asks."""

    app: Flask
    key: str

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = (("Authorization", f"Bearer {self.key}"), ("Content-Type", "application/json"), *headers.items())
        sent = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        return ask(self.app, Asked("", method, path, query, given, sent))

    def made(self, method: str, path: str, body: Any = None) -> Any:
        answer = self(method, path, body)
        assert answer.status < 300, answer.body
        return json.loads(answer.body)


class Ground:
    """The app, and what is there to be asked for."""

    def __init__(self, database_url: str, redis_url: str) -> None:
        self.app = create_app(ApiSettings(database_url=database_url, redis_url=redis_url, **SETTINGS))
        self.database: Database = self.app.extensions["gradeline"].database
        self.canary = f"canary{uuid.uuid4().hex}"
        self.mine, *less = self._keys([SCOPES, ("read",), ("submit",), ("review",)])
        (self.theirs,) = self._keys([SCOPES])
        self.known = Known([self.mine.key, *(each.key for each in less)])
        self.refresh()

    def refresh(self) -> None:
        """New rows in place of those that were erased, cancelled or reviewed meanwhile."""
        self.known.own, self.known.theirs = self._rows(self.mine, "mine"), self._rows(self.theirs, self.canary)
        one = self.known.own["job_id"][0]
        tags = [self.mine("GET", f"/v1/jobs/{each}").headers["etag"] for each in self.known.own["job_id"]]
        events = [
            self._event(path) for path in (f"/v1/jobs/{one}/events", f"/v1/jobs/{self.known.own['job_id'][2]}/events")
        ]
        lists = ("/v1/jobs", "/v1/batches", "/v1/reviews/queue", "/v1/audit", "/v1/webhooks/deliveries")
        cursors = [
            json.loads(who("GET", f"{at}?limit=1").body)["next"] for who in (self.mine, self.theirs) for at in lists
        ]
        self.known.words = {
            "If-None-Match": tags, "If-Match": tags, "Last-Event-ID": events, "cursor": [each for each in cursors if each],
            "Idempotency-Key": ["fuzz-1", "fuzz-2"],
        }  # fmt: skip

    def close(self) -> None:
        services = self.app.extensions["gradeline"]
        services.dispatcher.stop()
        services.celery.close()
        services.database.close()

    def _keys(self, scopes: Sequence[tuple[str, ...]]) -> list[Rows]:
        with self.database.session() as session:
            tenant = new_tenant(session)
            return [Rows(self.app, create_key(session, tenant, "fuzz", each)) for each in scopes]

    def _event(self, path: str) -> str:
        said = self.mine("GET", path).body.decode()
        return said.partition("id: ")[2].partition("\n")[0]

    def _rows(self, who: Rows, word: str) -> dict[str, list[str]]:
        """A tenant's rows in every state, by the names that routes give their ids."""
        body = {
            "text": f"{word} {uuid.uuid4().hex}",
            "external_id": word,
            "metadata": {"word": word},
            "callback_url": HOOK,
        }
        ids = [who.made("POST", "/v1/jobs", {**body, "text": f"{word} {uuid.uuid4().hex}"})["id"] for _ in range(6)]
        self._end(ids[2:4], result())
        self._end(ids[4:5], None)
        who("POST", f"/v1/jobs/{ids[5]}/cancel")
        who("PUT", f"/v1/jobs/{ids[3]}/review", {"scores": {"Structure": 1}, "comment": word})
        items = [{"text": f"{word} {n}", "external_id": word} for n in range(3)]
        batches = [
            who.made("POST", "/v1/batches", {"items": items, "metadata": {"word": word}})["id"] for _ in range(2)
        ]
        name = f"r{word[:20]}{uuid.uuid4().hex[:8]}"
        who.made("POST", "/v1/rubrics", {"name": name, "prompt": word, "criteria": [{"name": "Structure", "max": 6}]})
        made = [
            who.made("POST", f"/v1/rubrics/{name}/calibrations", {"examples": [EXAMPLE] * 10})["id"] for _ in range(2)
        ]
        self._teach(made[0])
        told = who.made("GET", "/v1/webhooks/deliveries?limit=3")["items"]
        return {
            "job_id": ids, "batch_id": batches, "rubric": [name, f"{name}@1"], "calibration_id": made,
            "delivery_id": [each["id"] for each in told],
        }  # fmt: skip

    def _end(self, ids: Sequence[str], scores: dict[str, Any] | None) -> None:
        """Ends jobs as a worker does."""
        left, deadline = {uuid.UUID(each) for each in ids}, time.monotonic() + 60
        error = None if scores else {"code": "unscorable", "title": "t", "detail": "d", "status": 422, "type": "t"}
        while left:
            assert time.monotonic() < deadline
            with self.database.session() as session:
                held = jobs.claim(session, sorted(left), "w", 60)
                left -= jobs.finish(session, [Finished(h.id, h.attempt, {}, scores, error) for h in held], "m", "r")

    def _teach(self, one: str) -> None:
        with self.database.session() as session:
            found = session.get_one(Calibration, uuid.UUID(one))
            found.state, found.head, found.sha256, found.card = "succeeded", b"head", "0" * 64, {}
