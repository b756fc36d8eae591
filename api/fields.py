"""What bodies are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

MAX_TEXT = 200_000


def clean(value: str) -> str:
    """Text that PostgreSQL and the tokenizer can hold: no NUL, no half of a surrogate pair."""
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("a lone surrogate is not allowed: the text is not valid Unicode")
    return value


def not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("the text is empty")
    return value


Clean = AfterValidator(clean)
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=255), Clean]
STRICT = ConfigDict(extra="forbid", strict=True)


class JobError(BaseModel):
    type: str
    title: str
    status: int
    code: str
    detail: str
