"""The sweep: takes back what was lost and sends what waits. Every worker runs it, so no clock process is needed."""

from __future__ import annotations

import logging

from kombu.exceptions import OperationalError

from broker.dispatch import Dispatch
from db import baselines, calibrations, jobs
from db.worker import forget_gone

log = logging.getLogger(__name__)

LOST = {
    "type": "urn:gradeline:problem:worker_lost",
    "title": "The worker was lost",
    "status": 500,
    "code": "worker_lost",
    "detail": "The worker that did this stopped without a word, as often as attempts are allowed.",
}


def sweep(dispatch: Dispatch) -> None:
    """One round. Two sweeps at once do no harm: each row is moved by one of them. Raises DatabaseAway."""
    settings = dispatch.settings
    with dispatch.database.session() as session:
        back = jobs.take_back(session, LOST, settings.max_attempts, settings.backoff_s)
        calibrations.take_back(session, LOST, settings.max_attempts)
        forget_gone(session, 60 * settings.live_s)
    with dispatch.database.session() as session:
        baselines.settle(session)  # whose worker died between the calibration's end and this
    if back:
        log.warning("taken back: %d jobs of lost workers", len(back))
    try:
        if lost := dispatch.forget_lost():
            log.warning("taken back: %d jobs of lost messages", lost)
        dispatch.everything()
    except OperationalError as error:
        log.warning("the broker is away, work waits in the database: %s", error)
