"""Telling one endpoint of one end: the body, the signature, and what an answer means."""

from __future__ import annotations

import email.utils
import logging
import random
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import to_json
from sqlalchemy.orm import Session
from standardwebhooks.webhooks import Webhook

from api.addresses import Allowed
from api.sending import Answer, Refused, Sender, Unsent
from api.settings import ApiSettings
from api.views import batch_body, job_body
from broker.traces import NO_TRACES, Traces, trace_id
from db import deliveries
from db.batches import find_batch
from db.deliveries import Held, Outcome
from db.errors import BatchNotFound, JobNotFound
from db.finding import find_job
from db.logs import about
from db.session import Database
from db.webhooks import signing_secrets

log = logging.getLogger(__name__)

JITTER = 0.2
# An endpoint may ask for patience, but not for ever.
MOST_PATIENCE_S = 86_400.0
GONE = 410


class Delivering:
    """Sends deliveries. Each attempt is claimed before and written after: a sender that dies costs an attempt's time."""

    def __init__(self, database: Database, settings: ApiSettings, traces: Traces = NO_TRACES) -> None:
        self._database, self._settings, self._traces = database, settings, traces
        self._sender = Sender(Allowed(settings.webhook_allow), settings.webhook_timeout_s)

    @property
    def hold_s(self) -> float:
        """How long a delivery is left to whoever took it: its message may wait for a thread, and then it is sent."""
        return 3 * self._settings.webhook_timeout_s + 10

    def __call__(self, delivery_id: uuid.UUID, attempts: int) -> None:
        """One attempt at a delivery, unless somebody else made it."""
        with self._database.session() as session:
            held = deliveries.claim(session, delivery_id, attempts, self.hold_s)
            if held is None:
                return
            body = to_json(_message(session, held))
            secrets = [each.secret for each in signing_secrets(session, held.tenant_id)]
            origin = deliveries.origin(session, held)
        ids = {"request_id": origin.request_id, "trace_id": trace_id(origin.traceparent), "delivery": held.id}
        with about(**ids, job=held.job_id, batch=held.batch_id, attempt=held.attempts):
            outcome = self._traced(held, secrets, body, origin.traceparent)
            with self._database.session() as session:
                deliveries.settle(session, held, outcome)

    def _traced(self, held: Held, secrets: list[str], body: bytes, parent: str | None) -> Outcome:
        """An attempt with its span, in the trace of the request, and its line."""
        span = self._traces.begin(
            "webhook", "client", parent, gradeline__delivery__id=held.id, gradeline__job__id=held.job_id,
            gradeline__batch__id=held.batch_id, gradeline__attempt=held.attempts, server__address=_host(held),
        )  # fmt: skip
        outcome = self._attempt(held, secrets, body)
        failed = "" if outcome.delivered else str(outcome.status or "not sent")
        span.end(failed=failed, http__response__status_code=outcome.status)
        said = "webhook delivered" if outcome.delivered else f"webhook not delivered: {outcome.error}"
        log.info(said, extra={"status": outcome.status, "host": _host(held), "again_s": outcome.again_s})
        return outcome

    def _attempt(self, held: Held, secrets: list[str], body: bytes) -> Outcome:
        if held.disabled:
            return Outcome(error="this endpoint is disabled")
        try:
            answer = self._sender.post(held.url, _headers(held, secrets, body), body)
        except Refused as error:
            return Outcome(error=str(error))
        except Unsent as error:
            return Outcome(error=str(error), again_s=self._pause(held))
        return self._meaning(held, answer)

    def _meaning(self, held: Held, answer: Answer) -> Outcome:
        if 200 <= answer.status < 300:
            return Outcome(delivered=True, status=answer.status)
        said = f"the endpoint answered {answer.status}"
        if answer.status == GONE:
            return Outcome(status=answer.status, error=f"{said}: it wants no more", gone=True)
        pause = self._pause(held)
        if pause is not None:
            pause = max(pause, patience(answer.retry_after))
        return Outcome(status=answer.status, error=said, again_s=pause)

    def _pause(self, held: Held) -> float | None:
        """Seconds until the next attempt, or None after the last. Endpoints that fail together don't come together."""
        pauses, made = self._settings.webhook_pauses_s, held.attempts - held.attempts_before
        if made > len(pauses):
            return None
        return pauses[made - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def patience(retry_after: str) -> float:
    """Seconds that a Retry-After asks for, as a number or as a date; 0 when it makes no sense."""
    try:
        if retry_after.strip().isascii() and retry_after.strip().isdigit():
            wanted = float(retry_after)
        else:
            wanted = (email.utils.parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(wanted, 0.0), MOST_PATIENCE_S)


def _host(held: Held) -> str | None:
    """Where it goes: the rest of an address may hold a secret of its owner."""
    try:
        return urlsplit(held.url).hostname
    except ValueError:
        return None


def _headers(held: Held, secrets: list[str], body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    signatures = [Webhook(secret).sign(str(held.id), now, body.decode()) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "Gradeline-Webhooks/1",
        "webhook-id": str(held.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _message(session: Session, held: Held) -> dict[str, Any]:
    """Ids and the state; with an endpoint that asked for it, the whole object as it is now."""
    return {"type": held.type, "timestamp": held.created_at, "data": _data(session, held)}


def _data(session: Session, held: Held) -> dict[str, Any]:
    state = held.type.partition(".")[2]
    try:
        if held.job_id is not None:
            job = job_body(find_job(session, held.tenant_id, held.job_id))
            return job if held.whole else {k: job[k] for k in ("id", "external_id", "batch_id")} | {"state": state}
        if held.batch_id is not None:
            batch = batch_body(find_batch(session, held.tenant_id, held.batch_id))
            return batch if held.whole else {"id": batch["id"], "state": state, "counts": batch["counts"]}
    except (JobNotFound, BatchNotFound):
        pass  # erased together with its tenant, at this moment
    return {"id": str(held.job_id or held.batch_id), "state": state}
