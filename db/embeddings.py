"""Vectors of submissions: kept once, read whenever a head needs them again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.submission import Embedding

# A submission that was erased meanwhile keeps nothing.
KEEP = text("""
INSERT INTO embedding (submission_id, model, revision, vector)
SELECT v.id, :model, :revision, v.vector FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS bytea[])) AS v(id, vector)
JOIN submission s ON s.id = v.id AND s.erased_at IS NULL
ON CONFLICT DO NOTHING
""")


def keep_vectors(session: Session, vectors: Mapping[uuid.UUID, bytes], model: str, revision: str) -> None:
    """Keeps vectors (float16, little-endian) of submissions; those that are known already stay as they are."""
    if vectors:
        values = {"ids": list(vectors), "vectors": list(vectors.values())}
        session.execute(KEEP, {**values, "model": model, "revision": revision})


def read_vectors(
    session: Session, submission_ids: Sequence[uuid.UUID], model: str, revision: str
) -> dict[uuid.UUID, bytes]:
    """The kept vectors of those of the submissions that have one."""
    found = select(Embedding.submission_id, Embedding.vector).where(
        Embedding.submission_id.in_(submission_ids), Embedding.model == model, Embedding.revision == revision
    )
    return {row.submission_id: row.vector for row in session.execute(found)}
