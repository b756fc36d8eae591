"""A short cut of the link between two hosts, where that can be had: root, `ip`, `nft`, namespaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storm.hosts import missing
from tests.storm.two_machines import standing

pytestmark = pytest.mark.skipif(bool(missing()), reason=str(missing()))


def test_a_link_that_falls_silent_in_mid_batch_loses_and_doubles_nothing(tmp_path_factory):
    with standing(Path(tmp_path_factory.mktemp("two"))) as field:
        found = field.round("silent", 12, 400)
    assert (found.succeeded, found.doubled) == (found.jobs, 0)
    assert found.far_after > 0 and found.far_again_s is not None
