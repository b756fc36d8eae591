"""Signs of life."""

from __future__ import annotations

import uuid
from dataclasses import replace

from db.worker import Beat, beat, leave

SAID = Beat("", 1, "host", ["q"], "m", "r", "e", "cpu", 512, ["Structure"], "h@1", 1)


def test_a_child_that_beats_hears_how_many_are_alive(database):
    one, two = (replace(SAID, name=uuid.uuid4().hex) for _ in range(2))
    with database.session() as session:
        alone = beat(session, one, 60)
    with database.session() as session:
        assert beat(session, two, 60) == alone + 1
    with database.session() as session:
        assert beat(session, two, 60) == alone + 1  # it is not counted twice
        leave(session, one.name, one.pid)
    with database.session() as session:
        assert beat(session, two, 60) == alone
        leave(session, two.name, two.pid)
