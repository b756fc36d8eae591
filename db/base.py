"""The declarative base, with constraint names that do not depend on the order of creation."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION, JSONB, UUID
from sqlalchemy.orm import DeclarativeBase
from uuid6 import uuid7

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        uuid.UUID: UUID(as_uuid=True),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
        list[float]: ARRAY(DOUBLE_PRECISION),
        str: Text,
    }


# As people and programs write ids: in one of the forms that uuid.UUID reads.
ID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return re.fullmatch(ID, text) is not None


def new_id() -> uuid.UUID:
    """A UUIDv7: its order is the order of creation, so an index on it is an index on age."""
    return uuid.UUID(int=uuid7().int)


def new_ids(count: int) -> list[uuid.UUID]:
    """UUIDv7s of this moment, each greater than the one before (RFC 9562, 6.2, method 2).

    `new_id` advances its clock by a millisecond for each id: ten thousand of those would be ten seconds in the future.
    """
    moment, last, made = time.time_ns() // 10**6 << 80, secrets.randbits(73), []
    for _ in range(count):
        last += 1 + secrets.randbits(32)  # 74 bits hold it: half of their range is left after the start
        made.append(uuid.UUID(int=moment | 7 << 76 | last >> 62 << 64 | 2 << 62 | last & (1 << 62) - 1))
    return made
