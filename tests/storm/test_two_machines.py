"""A short cut of the link between two hosts, where that can be had: root, `ip`, `nft`, namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storm.hosts import missing
from tests.storm.two_machines import JOBS, await_true, standing

pytestmark = pytest.mark.skipif(bool(missing()), reason=str(missing()))


def test_a_link_that_falls_silent_in_mid_batch_loses_and_doubles_nothing(tmp_path_factory):
    with standing(Path(tmp_path_factory.mktemp("two"))) as field:
        found = field.round("silent", 12, 300)
        assert (found.succeeded, found.doubled) == (found.jobs, 0)

        def heard() -> bool:
            batch, since = field.submit(40), field.row("SELECT now()")[0]
            await_true("another batch is graded", lambda: field.row(JOBS, batch=batch, since=since)[0] == 40)
            return bool(field.row(JOBS, batch=batch, since=since)[1])

        await_true("the workers behind the cut take work again", heard)
