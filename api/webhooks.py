"""Routes of webhooks: the secret that signs them, endpoints, and the log of deliveries."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field, StringConstraints

from api.auth import allow
from api.fields import STRICT, CallbackUrl, PageQuery, ShortText
from api.problems import Problem
from api.requests import look_at_bodies
from api.routing import KEY, WRONG, answer, read_id, services
from api.schemas import BATCH_ID
from db.deliveries import DeliveryFilters, list_deliveries, redeliver
from db.errors import DeliveryNotFound
from db.webhook import WebhookDelivery, WebhookEndpoint
from db.webhooks import endpoints_of, rotate_secret, secrets_of, set_endpoint

SAYS = """`callback_url` of a job or a batch gets a `POST` at every end: `{"type": "job.succeeded", "timestamp", "data"}`, as
[Standard Webhooks](https://www.standardwebhooks.com) say. `data` holds ids and the state, unless the endpoint is set to `full`.
Answer 2xx within 20 seconds; anything else is tried again for about three days, 410 ends it for the address."""
routes = APIBlueprint(
    "webhooks", __name__, url_prefix="/v1/webhooks", abp_tags=[Tag(name="Webhooks", description=SAYS)], abp_security=KEY
)
look_at_bodies(routes, {"set_webhook_endpoint": "admin"})
MOST_ENDPOINTS = 1000
BODY = {400: Problem, 415: Problem, **WRONG}


class SecretInfo(BaseModel):
    """A secret that signs; it is not shown again."""

    created_at: datetime
    expires_at: datetime | None = Field(description="of the one before, during a rotation")


class EndpointBody(BaseModel):
    """What was said of an address."""

    url: str
    payload: Literal["thin", "full"]
    disabled_at: datetime | None = Field(description="it answered 410, or was switched off: it gets nothing")


class WebhooksBody(BaseModel):
    """How a tenant's webhooks are signed, and the addresses of which something was said."""

    secrets: list[SecretInfo]
    endpoints: list[EndpointBody]


class NewSecret(BaseModel):
    """A new secret, for the only time."""

    secret: str = Field(description="`whsec_` and base64, as libraries for Standard Webhooks take it")
    created_at: datetime
    previous_until: datetime | None = Field(description="until then the one before signs too")


class NewEndpoint(BaseModel):
    """What `PUT /v1/webhooks/endpoint` takes."""

    model_config = STRICT
    url: CallbackUrl = Field(description="a `callback_url`, letter by letter")
    payload: Literal["thin", "full"] = Field("thin", description="full: the whole job or batch, which is student data")
    enabled: bool = True


class DeliveryQuery(PageQuery):
    """Which deliveries `GET /v1/webhooks/deliveries` lists, newest first."""

    state: Literal["pending", "delivered", "failed"] | None = None
    job: Annotated[str, StringConstraints(pattern=BATCH_ID)] | None = None
    batch: Annotated[str, StringConstraints(pattern=BATCH_ID)] | None = None
    type: ShortText | None = Field(None, description="such as `job.failed`")
    limit: int = Field(50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=100)] | None = None


class DeliveryBody(BaseModel):
    """One end that somebody is told of."""

    id: str = Field(description="the `webhook-id` of all attempts")
    type: str
    state: Literal["pending", "delivered", "failed"]
    url: str
    job_id: str | None
    batch_id: str | None
    attempts: int
    created_at: datetime
    due_at: datetime | None = Field(description="of the next attempt, while pending")
    last_at: datetime | None
    last_status: int | None
    last_error: str | None
    ended_at: datetime | None


class DeliveryPage(BaseModel):
    """A page of deliveries; `next` is the cursor of the next one."""

    items: list[DeliveryBody]
    next: str | None


class DeliveryPath(BaseModel):
    """A delivery's id in an address."""

    delivery_id: str


@routes.get("", responses={200: WebhooksBody, **WRONG})
def read_webhooks() -> Response:
    """How webhooks are signed, and what was said of endpoints (scope admin)"""
    caller = allow("admin")
    with services().database.session() as session:
        secrets = secrets_of(session, caller.tenant_id)
        endpoints = endpoints_of(session, caller.tenant_id, MOST_ENDPOINTS)
    shown = [{"created_at": each.created_at, "expires_at": each.expires_at} for each in secrets]
    return answer({"secrets": shown, "endpoints": [_endpoint(each) for each in endpoints]})


@routes.post("/secret", responses={201: NewSecret, **WRONG})
def rotate_webhook_secret() -> Response:
    """Make a new secret, and see it for the only time (scope admin)

    Until `previous_until` webhooks carry two signatures, so that an endpoint may learn the new one meanwhile.
    """
    caller = allow("admin")
    with services().database.session() as session:
        made = rotate_secret(session, caller.tenant_id, services().settings.webhook_rotation_hours)
        before = [each.expires_at for each in secrets_of(session, caller.tenant_id) if each.expires_at]
    body = {"secret": made.secret, "created_at": made.created_at, "previous_until": before[0] if before else None}
    return answer(body, 201)


@routes.put("/endpoint", responses={200: EndpointBody, **BODY})
def set_webhook_endpoint(body: NewEndpoint) -> Response:
    """Say what an endpoint gets, or switch it on again (scope admin)"""
    caller = allow("admin")
    with services().database.session() as session:
        return answer(_endpoint(set_endpoint(session, caller.tenant_id, body.url, body.payload, body.enabled)))


@routes.get("/deliveries", responses={200: DeliveryPage, **WRONG})
def list_webhook_deliveries(query: DeliveryQuery) -> Response:
    """What was sent, what came of it, and what is still to be sent; newest first"""
    caller = allow("read")
    job, batch = (uuid.UUID(each) if each else None for each in (query.job, query.batch))
    filters = DeliveryFilters(query.state, job, batch, query.type)
    with services().database.session() as session:
        rows, following = list_deliveries(session, caller.tenant_id, filters, query.limit, query.cursor)
    return answer({"items": [_delivery(each) for each in rows], "next": following})


@routes.post("/deliveries/<delivery_id>/redeliver", responses={202: DeliveryBody, **WRONG})
def redeliver_webhook(path: DeliveryPath) -> Response:
    """Send a delivery once more, now, under its own `webhook-id`"""
    caller = allow("submit")
    missing = DeliveryNotFound("there is no delivery with this id")
    with services().database.session() as session:
        return answer(_delivery(redeliver(session, caller.tenant_id, read_id(path.delivery_id, missing))), 202)


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {"url": endpoint.url, "payload": endpoint.payload, "disabled_at": endpoint.disabled_at}


def _delivery(row: WebhookDelivery) -> dict[str, Any]:
    same = ("type", "state", "url", "attempts", "created_at", "last_at", "last_status", "last_error", "ended_at")
    return {
        "id": str(row.id),
        **{name: getattr(row, name) for name in same},
        "job_id": str(row.job_id) if row.job_id else None,
        "batch_id": str(row.batch_id) if row.batch_id else None,
        "due_at": row.due_at if row.state == "pending" else None,
    }
