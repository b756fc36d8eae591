"""Every table, imported for its effect on `Base.metadata`."""

from db.base import Base
from db.batch import Batch
from db.calibration import Calibration, Example
from db.job import Attempt, Job, Result
from db.rubric import Rubric
from db.submission import Embedding, Submission
from db.tenant import Key, Tenant
from db.worker import Worker

__all__ = [
    "Attempt", "Base", "Batch", "Calibration", "Embedding", "Example", "Job", "Key", "Result", "Rubric", "Submission",
    "Tenant", "Worker",
]  # fmt: skip
