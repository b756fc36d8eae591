"""What came of deliveries is written also when two attempts end at the same moment."""

from __future__ import annotations

import threading
import uuid

from sqlalchemy import text

from db.deliveries import Outcome, claim, settle
from db.webhook import WebhookDelivery, WebhookEndpoint
from tests.waiting import until

URL = "https://lms.example/gone"
GONE = Outcome(status=410, error="the endpoint answered 410", gone=True)
WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def held(database, tenant, job):
    """A delivery to the endpoint, as a sender has it."""
    with database.session() as session:
        made = WebhookDelivery(tenant_id=tenant, job_id=job, type="job.failed", url=URL, host=uuid.uuid4().hex)
        session.add(made)
        session.flush()
        return claim(session, made.id, 0, 60)


def test_an_endpoint_that_says_410_twice_at_once_ends_both_deliveries(database, tenant, submit):
    first, second = (held(database, tenant, submit()) for _ in range(2))

    def end_second() -> None:
        with database.session() as session:
            settle(session, second, GONE)

    def waits() -> bool:
        with database.session() as session:
            return bool(session.scalar(WAITS))

    thread = threading.Thread(target=end_second)
    with database.session() as session:
        settle(session, first, GONE)
        session.flush()
        thread.start()
        until(waits, seconds=60)  # for what the first has written and not yet committed
    thread.join(timeout=60)
    with database.session() as session:
        states = [session.get_one(WebhookDelivery, each.id).state for each in (first, second)]
        assert states == ["failed", "failed"]
        assert session.get_one(WebhookEndpoint, (tenant, URL)).disabled_at
