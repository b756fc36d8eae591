"""The route of the audit: who had what erased, and who reviewed what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, StringConstraints

from api.auth import allow
from api.fields import PageQuery
from api.routing import KEY, WRONG, answer, services
from db.audit import list_audit

routes = APIBlueprint("audit", __name__, url_prefix="/v1/audit", abp_tags=[Tag(name="Audit")], abp_security=KEY)


class AuditQuery(PageQuery):
    """Which lines `GET /v1/audit` lists, newest first."""

    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class AuditLine(BaseModel):
    """What was done to jobs, and by whom."""

    id: str
    at: datetime
    who: str = Field(description="the id of the key that asked for it, `retention`, or `operator`")
    what: str = Field(description="`erased`, `reviewed`, `appealed`; `texts erased`, `results erased` (by retention)")
    count: int
    subjects: list[str] = Field(description="ids of jobs")


class AuditPage(BaseModel):
    """A page of the audit; `next` is the cursor of the next one."""

    items: list[AuditLine]
    next: str | None


@routes.get("", responses={200: AuditPage, **WRONG})
def read_audit(query: AuditQuery) -> Response:
    """What was erased and reviewed of yours, when, and by whom (scope admin)"""
    caller = allow("admin")
    with services().database.session() as session:
        lines, following = list_audit(session, caller.tenant_id, query.limit, query.cursor)
    items = [
        {
            "id": str(each.id),
            "at": each.at,
            "who": each.who,
            "what": each.what,
            "count": each.count,
            "subjects": [str(job) for job in each.subjects],
        }
        for each in lines
    ]
    return answer({"items": items, "next": following})
