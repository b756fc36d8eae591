"""Every table, imported for its effect on `Base.metadata`."""

from db.audit import Audit
from db.base import Base
from db.batch import Batch
from db.calibration import Calibration, Example
from db.idempotency import IdempotencyKey
from db.job import Attempt, Job, Result
from db.retention import Retention
from db.review import Review
from db.rubric import Rubric
from db.submission import Embedding, Submission
from db.tenant import Key, Tenant
from db.upload import Upload
from db.webhook import WebhookDelivery, WebhookEndpoint, WebhookSecret
from db.worker import Worker

__all__ = [
    "Attempt", "Audit", "Base", "Batch", "Calibration", "Embedding", "Example", "IdempotencyKey", "Job", "Key", "Result",
    "Retention", "Review", "Rubric", "Submission", "Tenant", "Upload", "WebhookDelivery", "WebhookEndpoint", "WebhookSecret",
    "Worker",
]  # fmt: skip
