"""Rubrics: immutable, versioned grading guides."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Select, UniqueConstraint, func, or_, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, is_id, new_id
from db.errors import RubricNotFound

DEFAULT_LEVELS = [
    {"name": "Poor", "from": 0},
    {"name": "Fair", "from": 40},
    {"name": "Good", "from": 60},
    {"name": "Excellent", "from": 80},
]
DEFAULT_CRITERIA = {
    "Structure": "The text is ordered: an opening, paragraphs that follow from one another, an ending.",
    "Clarity": "Sentences are easy to follow and vary in length and form.",
    "Relevance": "The text answers the assignment prompt, with content that belongs to it.",
    "Academic_Writing": "Vocabulary, grammar and conventions are those of careful writing.",
}
# What the default head scores beside the default criteria: the traits of the corpora that it was fitted on.
TRAITS = (
    "content", "organization", "word_choice", "sentence_fluency", "conventions", "prompt_adherence", "language",
    "narrativity", "style", "voice", "cohesion", "syntax", "vocabulary", "phraseology", "grammar",
)  # fmt: skip
MEASURES = (*DEFAULT_CRITERIA, *TRAITS)
# Rubrics that came inside a job are kept under this name and their hash; a list does not show them.
INLINE = "inline-"
LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('gradeline rubric ' || :tenant || :name, 0))")


class Rubric(Base):
    """One version of a rubric. `tenant_id` is null for the rubrics that come with Gradeline."""

    __tablename__ = "rubric"
    __table_args__ = (UniqueConstraint("tenant_id", "name", "version", postgresql_nulls_not_distinct=True),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tenant.id"))
    name: Mapped[str]
    version: Mapped[int]
    prompt: Mapped[str | None]
    criteria: Mapped[list[dict[str, Any]]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


def default_criteria() -> list[dict[str, Any]]:
    """The four default criteria, each from 0 to 100."""
    return [
        {
            "name": name,
            "measures": name,
            "description": description,
            "weight": 1.0,
            "min": 0.0,
            "max": 100.0,
            "step": None,
            "levels": DEFAULT_LEVELS,
        }
        for name, description in DEFAULT_CRITERIA.items()
    ]


def default_rubric(session: Session) -> Rubric:
    """The rubric that is used when a job names none; made at the first start."""
    rubric = session.scalar(select(Rubric).where(Rubric.tenant_id.is_(None), Rubric.name == "default"))
    if rubric is None:
        rubric = Rubric(tenant_id=None, name="default", version=1, prompt=None, criteria=default_criteria())
        session.add(rubric)
        session.flush()
    return rubric


def unmeasured(criteria: Sequence[dict[str, Any]]) -> list[str]:
    """Names of the criteria that the default head can't score: they need a calibration."""
    return [c["name"] for c in criteria if (c.get("measures") or c["name"]) not in MEASURES]


def weights_of(criteria: Sequence[dict[str, Any]]) -> list[float]:
    """How much each criterion counts in the overall score: 1 where nothing is said, and 0 is nothing.

    No rubric is made of zeros alone; where all are, all count the same, so that the sum is never 0.
    """
    weights = [1.0 if c.get("weight") is None else float(c["weight"]) for c in criteria]
    return weights if any(weights) else [1.0] * len(weights)


def add_version(
    session: Session, tenant_id: uuid.UUID, name: str, prompt: str | None, criteria: list[dict[str, Any]]
) -> Rubric:
    """The next version of the tenant's rubric of that name; the first one is 1."""
    session.execute(LOCK, {"tenant": str(tenant_id), "name": name})  # two at once get two numbers
    last = session.scalar(select(func.max(Rubric.version)).where(Rubric.tenant_id == tenant_id, Rubric.name == name))
    rubric = Rubric(tenant_id=tenant_id, name=name, version=(last or 0) + 1, prompt=prompt, criteria=criteria)
    session.add(rubric)
    session.flush()
    return rubric


def inline_rubric(session: Session, tenant_id: uuid.UUID, prompt: str | None, criteria: list[dict[str, Any]]) -> Rubric:
    """The rubric that came inside a job; the same one is kept once."""
    content = json.dumps([prompt, criteria], sort_keys=True)
    name = INLINE + hashlib.sha256(content.encode()).hexdigest()[:24]
    session.execute(LOCK, {"tenant": str(tenant_id), "name": name})
    known = session.scalar(select(Rubric).where(Rubric.tenant_id == tenant_id, Rubric.name == name))
    return known or add_version(session, tenant_id, name, prompt, criteria)


def _visible(tenant_id: uuid.UUID) -> Select[Rubric]:
    return select(Rubric).where(or_(Rubric.tenant_id == tenant_id, Rubric.tenant_id.is_(None)))


def list_rubrics(session: Session, tenant_id: uuid.UUID, limit: int) -> list[Rubric]:
    """The newest version of each rubric that a tenant sees, by name; the tenant's own before a built-in one."""
    named = _visible(tenant_id).where(~Rubric.name.startswith(INLINE, autoescape=True))
    newest = named.order_by(Rubric.name, Rubric.tenant_id.is_(None), Rubric.version.desc()).ext(
        distinct_on(Rubric.name)
    )
    return list(session.scalars(newest.limit(limit)))


def versions_of(session: Session, rubric: Rubric) -> list[int]:
    """The numbers of all versions of a rubric, from the first."""
    same = Rubric.tenant_id.is_not_distinct_from(rubric.tenant_id), Rubric.name == rubric.name
    return list(session.scalars(select(Rubric.version).where(*same).order_by(Rubric.version)))


# What a tenant sees by an id, a name and a version, or a name.
MEANT = """(tenant_id = :tenant OR tenant_id IS NULL) AND CASE WHEN CAST(:id AS uuid) IS NULL
    THEN name = :name AND (CAST(:version AS int) IS NULL OR version = :version) ELSE id = :id END"""
FIND = text(f"""
SELECT id, tenant_id, name, version, prompt, criteria, created_at FROM rubric WHERE {MEANT}
ORDER BY tenant_id IS NULL, version DESC LIMIT 1
""")  # noqa: S608 - a constant of this module
EVERY = text(f"SELECT id FROM rubric WHERE {MEANT}")  # noqa: S608


def find_rubric(session: Session, tenant_id: uuid.UUID, reference: str) -> Rubric:
    """The rubric with an id, a `name@version` or a name (its newest version); the tenant's own before the built-in.

    Every request that submits looks one up, so it is a plain statement; the object is of no session.
    """
    row = session.execute(FIND, _meant(tenant_id, reference)).mappings().first() if "\0" not in reference else None
    if row is None:
        raise RubricNotFound(f"there is no rubric '{reference[:100]}'")
    return Rubric(**row)


def find_versions(session: Session, tenant_id: uuid.UUID, reference: str) -> list[uuid.UUID]:
    """Ids of the rubrics with an id, a `name@version` or a name (all of its versions); none when there are none."""
    return list(session.scalars(EVERY, _meant(tenant_id, reference)))


def _meant(tenant_id: uuid.UUID, reference: str) -> dict[str, Any]:
    wanted: dict[str, Any] = {"tenant": tenant_id, "id": None, "name": reference, "version": None}
    name, _, version = reference.rpartition("@")
    if is_id(reference):
        wanted["id"] = uuid.UUID(reference)
    elif name and re.fullmatch(r"[0-9]{1,6}", version):
        wanted |= {"name": name, "version": int(version)}
    return wanted
