"""A short fuzz, on every change; `make fuzz` is the long one."""

from __future__ import annotations

import pytest

from tests.fuzz.asking import routes_of
from tests.fuzz.ground import Ground
from tests.fuzz.hunt import hunt
from tests.fuzz.parsers import READERS, hunt_parsers
from tests.fuzz.raw import hunt_raw

SEED = 7
# For machines that are busy with something else; the long run has the real limit.
PATIENT_S = 60.0


@pytest.fixture(scope="module")
def ground(servers):
    made = Ground(servers.database_url, servers.redis_url)
    yield made
    made.close()


def test_two_thousand_fuzzed_requests_meet_no_5xx_no_stack_trace_and_no_other_tenants_rows(ground):
    seen = hunt(ground, 2000, SEED, lambda _: None, PATIENT_S)
    assert seen.findings == {}
    assert len(seen.endpoints) == len({route.endpoint for route in routes_of(ground.app)})
    assert seen.requests >= 1900 and {200, 201, 202, 400, 401, 403, 404, 405, 409, 415, 422} <= set(seen.statuses)


def test_broken_http_is_answered_with_problems_and_slow_connections_are_left(servers):
    figures, findings = hunt_raw(servers.database_url, servers.redis_url, 150, SEED, PATIENT_S)
    assert findings == [] and {"200", "400"} <= set(figures["statuses"])


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_readers_of_files_and_tables_say_what_is_wrong():
    figures, findings = hunt_parsers(40, SEED, PATIENT_S)
    assert findings == [] and set(figures) == set(READERS)
