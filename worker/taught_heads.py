"""The heads of calibrations, read from the database when a job needs them and kept while there is room."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import OrderedDict

from db.calibration import Calibration
from db.session import Database
from worker.errors import ModelUnavailable
from worker.features.surface import FEATURES
from worker.head.taught import Taught, unpacked


class TaughtHeads:
    """Heads of `most` bytes at most, the last one in any case: one of thousands of examples takes a hundred times the memory of
    one of twenty. A calibration never changes, so what is kept is never stale. Several threads may ask at once."""

    def __init__(self, database: Database, most: int) -> None:
        self.database, self.most = database, most
        self._kept: OrderedDict[uuid.UUID, Taught] = OrderedDict()
        self._lock = threading.Lock()  # of `_kept`; not held while a head is read

    @property
    def size(self) -> int:
        """Bytes of the heads that are kept."""
        return sum(head.numbers.size for head in self._kept.values())

    def __call__(self, calibration_id: uuid.UUID) -> Taught:
        """The head of a calibration. ModelUnavailable when its numbers are not those that were written."""
        with self._lock:
            if calibration_id in self._kept:
                self._kept.move_to_end(calibration_id)
                return self._kept[calibration_id]
        head = self._read(calibration_id)
        with self._lock:
            self._kept[calibration_id] = head
            while self.size > self.most and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return head

    def _read(self, calibration_id: uuid.UUID) -> Taught:
        with self.database.session() as session:
            found = session.get(Calibration, calibration_id)
        if found is None or found.head is None or found.card is None:
            raise ModelUnavailable("the rubric's calibration is gone: calibrate again")
        if hashlib.sha256(found.head).hexdigest() != found.sha256:
            raise ModelUnavailable("the calibration's numbers are not those that were written: calibrate again")
        if found.card.get("features") != len(FEATURES):
            raise ModelUnavailable("the calibration was made by a version that counted other features: calibrate again")
        name = f"calibration-{found.sha256[:12]}"
        return unpacked(found.head, found.card, name, found.card["model"], str(found.revision))
