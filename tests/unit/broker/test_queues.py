"""Queue names keep models, devices and lanes apart."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from broker.app import make_app
from broker.queues import LANES, consumed_by, queue_name, slug
from broker.settings import BrokerSettings

MODELS = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=40)


@given(MODELS)
def test_a_slug_has_only_letters_that_every_broker_takes(model):
    assert re.fullmatch(r"[a-z0-9_.=-]+", slug(model))


def test_a_worker_empties_interactive_queues_first_and_its_own_device_before_any():
    lanes = ("interactive", "regrade", "bulk")
    assert consumed_by("m", "cpu") == [f"m.{device}.{lane}" for lane in lanes for device in ("cpu", "any")]


def test_every_queue_of_a_model_has_a_consumer_on_some_device():
    every = {queue_name("m", device, lane) for device in ("any", "cpu", "gpu") for lane in LANES}
    assert every == {*consumed_by("m", "cpu"), *consumed_by("m", "gpu")}


def test_the_app_speaks_json_only_and_acknowledges_late():
    conf = make_app(BrokerSettings()).conf
    assert conf.accept_content == ["json"] and conf.task_serializer == "json"
    assert conf.task_acks_late and conf.task_ignore_result
    assert conf.broker_transport_options["visibility_timeout"] > conf.task_time_limit
