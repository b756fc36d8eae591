"""`python -m db.keys`: tenants and their keys, for whoever runs the server. Prints JSON.

No route does this: a key can't make another, so one that leaks can be revoked and is gone. Whoever can write to the database
could make keys anyway.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.errors import GradelineError, TenantNotFound
from db.logs import configure
from db.session import Database
from db.settings import DatabaseSettings
from db.tenant import SCOPES, Key, Tenant, create_key


def find_tenant(session: Session, name: str) -> Tenant:
    """The tenant of a name, or TenantNotFound."""
    tenant = session.scalar(select(Tenant).where(Tenant.name == name))
    if tenant is None:
        raise TenantNotFound(f"there is no tenant '{name}'")
    return tenant


def create_tenant(session: Session, name: str) -> dict[str, Any]:
    """A new tenant, without keys."""
    tenant = Tenant(name=name)
    session.add(tenant)
    session.flush()
    session.refresh(tenant)
    return _shown(tenant, ("id", "name", "created_at"))


def list_tenants(session: Session) -> list[dict[str, Any]]:
    """All tenants by name, each with the number of its keys that work."""
    works = Key.revoked_at.is_(None) & (Key.expires_at.is_(None) | (Key.expires_at > func.now()))
    found = select(Tenant, func.count(Key.id)).outerjoin(Key, (Key.tenant_id == Tenant.id) & works).group_by(Tenant.id)
    rows = session.execute(found.order_by(Tenant.name))
    return [{**_shown(tenant, ("id", "name", "created_at")), "keys": keys} for tenant, keys in rows]


def make_key(session: Session, tenant: str, name: str, scopes: tuple[str, ...], days: float | None) -> dict[str, Any]:
    """A new key of a tenant; `key` is shown this once. It works for so many days, or until it is revoked."""
    secret = create_key(session, find_tenant(session, tenant).id, name, scopes)
    session.flush()
    made = session.scalars(select(Key).where(Key.prefix == secret.split("_")[1])).one()
    if days is not None:
        until = text("clock_timestamp() + make_interval(secs => :seconds)").bindparams(seconds=days * 86_400)
        session.execute(update(Key).where(Key.id == made.id).values(expires_at=until))
    session.refresh(made)
    return {"key": secret, **_key(made, tenant)}


def list_keys(session: Session, tenant: str | None) -> list[dict[str, Any]]:
    """Keys of one tenant or of all, newest first. Of the secrets only hashes are kept."""
    found = select(Key, Tenant.name).join(Tenant, Tenant.id == Key.tenant_id)
    if tenant is not None:
        found = found.where(Key.tenant_id == find_tenant(session, tenant).id)
    return [_key(key, name) for key, name in session.execute(found.order_by(Key.id.desc()))]


def revoke_key(session: Session, which: str) -> dict[str, Any]:
    """Ends a key, by its id or its prefix; twice does no harm. An API process that knows it stops within 3 seconds."""
    same = Key.prefix == which
    with suppress(ValueError):
        same = same | (Key.id == uuid.UUID(which))
    found = session.execute(select(Key, Tenant.name).join(Tenant, Tenant.id == Key.tenant_id).where(same)).first()
    if found is None:
        raise TenantNotFound(f"there is no key '{which}'")
    key, tenant = found
    key.revoked_at = key.revoked_at or session.scalar(select(func.now()))
    return _key(key, tenant)


def _key(key: Key, tenant: str) -> dict[str, Any]:
    same = ("id", "prefix", "name", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    return {"tenant": tenant, **_shown(key, same)}


def _shown(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in names}
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, uuid.UUID)
        else value
        for name, value in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m db.keys", description=__doc__)
    todo = parser.add_subparsers(dest="todo", required=True)
    todo.add_parser("create-tenant").add_argument("name")
    todo.add_parser("list-tenants")
    new = todo.add_parser("create")
    new.add_argument("name")
    new.add_argument("--tenant", default="default")
    new.add_argument("--scope", action="append", choices=SCOPES, required=True)
    new.add_argument("--days", type=float)
    todo.add_parser("list").add_argument("--tenant")
    todo.add_parser("revoke").add_argument("key")
    asked = parser.parse_args()
    settings = DatabaseSettings()
    configure(settings, "gradeline-keys")
    database = Database(settings)
    try:
        with database.session() as session:
            print(json.dumps(_do(session, asked), indent=1))  # noqa: T201 - it is the answer
    except (GradelineError, IntegrityError) as error:
        sys.exit(f"tenant '{asked.name}' is there already" if isinstance(error, IntegrityError) else str(error))
    finally:
        database.close()


def _do(session: Session, asked: argparse.Namespace) -> Any:
    if asked.todo == "create-tenant":
        return create_tenant(session, asked.name)
    if asked.todo == "list-tenants":
        return list_tenants(session)
    if asked.todo == "create":
        return make_key(session, asked.tenant, asked.name, tuple(asked.scope), asked.days)
    if asked.todo == "list":
        return list_keys(session, asked.tenant)
    return revoke_key(session, asked.key)


if __name__ == "__main__":
    main()
