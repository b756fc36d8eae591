"""What bodies are made of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema

MAX_TEXT = 200_000
MAX_METADATA_BYTES = 16_384
# What is white space to any of Python, ECMAScript and Unicode: they differ in some.
WHITE = r"\s\x1c-\x1f\x85\ufeff"
MAX_METADATA_DEPTH = 64  # what writes answers gives up at 255
MAX_URL_BYTES = 2000  # PostgreSQL's indexes take no more than 2,700


NO_UNICODE = "a lone surrogate is not allowed: the text is not valid Unicode"
# Kinds of a union, for pydantic alone: it puts the kind that it tried into the place of a mistake.
BY_NAME, BY_ITSELF = "<name>", "<rubric>"


@dataclass(frozen=True)
class Checked(AfterValidator):
    """A check by a function, and what the document says of it: a pattern, unless there is one already."""

    pattern: str = ""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"pattern": self.pattern, **handler(core)}


def clean(value: str) -> str:
    """Text that PostgreSQL and the tokenizer can hold: no NUL, no half of a surrogate pair."""
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
    try:
        value.encode()  # a hundred times as fast as looking at each character
    except UnicodeEncodeError as error:
        raise ValueError(NO_UNICODE) from error
    return value


def not_blank(value: str) -> str:
    if not re.search(f"[^{WHITE}]", value):
        raise ValueError("the text is empty")
    return value


def small(value: dict[str, Any]) -> dict[str, Any]:
    """Metadata that PostgreSQL can hold and an answer can show, up to 16 KiB as JSON."""
    too_deep = f"metadata is nested more than {MAX_METADATA_DEPTH} deep"
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError as error:
        raise ValueError(too_deep) from error
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_METADATA_BYTES:
        raise ValueError("metadata is longer than 16 KiB")
    opened = text.count("{") + text.count("[")
    if opened > MAX_METADATA_DEPTH and _is_deeper(value, MAX_METADATA_DEPTH):  # counting is quicker than looking
        raise ValueError(too_deep)
    if size + _written_out(text) > MAX_METADATA_BYTES:
        raise ValueError("metadata is longer than 16 KiB with its numbers written out: 1e300 has 301 digits")
    clean(text)
    if "\\u0000" in text:
        raise ValueError("a NUL character is not allowed")
    return value


def _written_out(text: str) -> int:
    """How many characters longer a JSON text is with its numbers as PostgreSQL keeps them, in full."""
    longer = 0

    def number(written: str) -> None:
        nonlocal longer
        longer += len(f"{Decimal(written):f}") - len(written)

    if re.search(r"\de[+-]?\d", text):  # looking is quicker than reading
        json.loads(text, parse_float=number)
    return longer


def whole(value: Any) -> Any:
    """A whole number however it is written: to JSON, 2.0 is 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_deeper(value: Any, depth: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(depth == 0 or _is_deeper(each, depth - 1) for each in inside)


def short_url(value: str) -> str:
    if len(value.encode()) > MAX_URL_BYTES:
        raise ValueError("the address is longer than 2,000 bytes")
    return value


Clean = Checked(clean, r"^[^\x00]*$")
NotBlank = Checked(not_blank, rf"^[^\x00]*[^{WHITE}\x00][^\x00]*$")
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=255), Clean]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TEXT),
    NotBlank,
    Clean,
    Field(
        description="the submission, 1 to 200,000 characters", examples=["Phones should stay in the bag, because ..."]
    ),
]
CallbackUrl = Annotated[
    str,
    StringConstraints(max_length=MAX_URL_BYTES, pattern=r"^https?://[^\s/\x00][^\x00]*$"),
    Clean,
    AfterValidator(short_url),
]
AssignmentPrompt = Annotated[str, StringConstraints(max_length=20_000), Clean]
Whole = Annotated[int, BeforeValidator(whole)]
Device = Literal["any", "cpu", "gpu"]
Metadata = Annotated[dict[str, Any], AfterValidator(small)]
STRICT = ConfigDict(extra="forbid", strict=True)


class PageQuery(BaseModel):
    """Which page of a list, and of what. An empty value says nothing: `?state=&limit=9` is `?limit=9`."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in given.items() if value != "" or name not in cls.model_fields}


class JobError(BaseModel):
    type: str
    title: str
    status: int
    code: str
    detail: str
