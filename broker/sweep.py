"""The sweep: takes back what was lost and sends what waits. Every worker runs it, so no clock process is needed."""

from __future__ import annotations

import logging

from kombu.exceptions import OperationalError

from broker.dispatch import Dispatch
from broker.logs import tell_of_back
from db import baselines, calibrations, idempotency, jobs, retention
from db.worker import forget_gone

log = logging.getLogger(__name__)

# Rows that a round forgets or erases at most: others must not wait for it.
ROUND = 500

LOST = {
    "type": "urn:gradeline:problem:worker_lost",
    "title": "The worker was lost",
    "status": 500,
    "code": "worker_lost",
    "detail": "The worker that did this stopped without a word, as often as attempts are allowed.",
}


def sweep(dispatch: Dispatch, patient: bool = False) -> int:
    """One round; returns how many jobs were taken back. Two sweeps at once do no harm: each row is moved by one of them.
    Raises DatabaseAway.

    A patient one leaves jobs whose leases have ended: nobody could renew them for a while.
    """
    settings = dispatch.settings
    with dispatch.database.session() as session:
        back = [] if patient else jobs.take_back(session, LOST, settings.max_attempts, settings.backoff_s)
        calibrations.take_back(session, LOST, settings.max_attempts)
        forget_gone(session, 60 * settings.live_s)
    with dispatch.database.session() as session:
        baselines.settle(session)  # whose worker died between the calibration's end and this
    if back:
        tell_of_back(back, str(LOST["code"]))
    try:
        if lost := dispatch.forget_lost():
            log.warning("taken back: %d jobs of lost messages", lost)
        dispatch.everything()
    except OperationalError as error:
        log.warning("the broker is away, work waits in the database: %s", error)
    forget(dispatch)
    return len(back)


def forget(dispatch: Dispatch) -> None:
    """Erases a bounded number of what has been kept for long enough."""
    settings, database = dispatch.settings, dispatch.database
    with database.session() as session:
        idempotency.forget_old(session, settings.idempotency_hours, 2 * ROUND)
    for days, erase in (
        (settings.retain_texts_days, retention.erase_texts),
        (settings.retain_results_days, retention.erase_results),
    ):
        if days:
            with database.session() as session:
                erase(session, days, ROUND)
