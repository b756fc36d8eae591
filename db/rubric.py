"""Rubrics: immutable, versioned grading guides."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, new_id
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


def find_rubric(session: Session, tenant_id: uuid.UUID, reference: str) -> Rubric:
    """The rubric with an id, a `name@version` or a name (its newest version); the tenant's own before the built-in."""
    seen = select(Rubric).where(or_(Rubric.tenant_id == tenant_id, Rubric.tenant_id.is_(None)))
    name, _, version = reference.rpartition("@")
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", reference):
        seen = seen.where(Rubric.id == uuid.UUID(reference))
    elif name and re.fullmatch(r"[0-9]{1,6}", version):
        seen = seen.where(Rubric.name == name, Rubric.version == int(version))
    else:
        seen = seen.where(Rubric.name == reference)
    newest = Rubric.tenant_id.is_(None), Rubric.version.desc()
    rubric = session.scalar(seen.order_by(*newest).limit(1)) if "\0" not in reference else None
    if rubric is None:
        raise RubricNotFound(f"there is no rubric '{reference[:100]}'")
    return rubric
