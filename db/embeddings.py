"""Vectors of submissions: kept once, read whenever a head needs them again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

# A submission that was erased meanwhile keeps nothing.
KEEP = text("""
INSERT INTO embedding (submission_id, model, revision, vector, surface)
SELECT v.id, :model, :revision, v.vector, v.surface
FROM unnest(CAST(:ids AS uuid[]), CAST(:vectors AS bytea[]), CAST(:surfaces AS bytea[])) AS v(id, vector, surface)
JOIN submission s ON s.id = v.id AND s.erased_at IS NULL
ON CONFLICT DO NOTHING
""")


# A text that was handed in twice was read once.
READ = text("""
SELECT DISTINCT ON (s.id) s.id, e.vector FROM submission s
JOIN submission t ON t.tenant_id = s.tenant_id AND t.fingerprint = s.fingerprint
JOIN embedding e ON e.submission_id = t.id AND e.model = :model AND e.revision = :revision
WHERE s.id = ANY(:ids)
""")
Kept = tuple[bytes, bytes | None]


def keep_vectors(session: Session, vectors: Mapping[uuid.UUID, Kept], model: str, revision: str) -> None:
    """Keeps vectors (float16, little-endian) and surface features (float32) of submissions; what is kept stays."""
    if vectors:
        each, surfaces = zip(*vectors.values(), strict=True)
        values = {"ids": list(vectors), "vectors": list(each), "surfaces": list(surfaces)}
        session.execute(KEEP, {**values, "model": model, "revision": revision})


def read_vectors(
    session: Session, submission_ids: Sequence[uuid.UUID], model: str, revision: str
) -> dict[uuid.UUID, bytes]:
    """The vectors that are kept of the submissions' texts; a text that was never read has none."""
    rows = session.execute(READ, {"ids": list(submission_ids), "model": model, "revision": revision})
    return {row.id: row.vector for row in rows}
