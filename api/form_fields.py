"""Fields that come as strings, in a form or a query string, for models that are strict about types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.errors import InvalidRequest
from api.problems import invalid

Model = TypeVar("Model", bound=BaseModel)
WORDS = {"true": True, "false": False}
# What may be an object: the others are words, whatever they begin with.
OBJECTS = ("rubric", "metadata")


def read_fields(model: type[Model], given: Mapping[str, str], **more: Any) -> Model:
    """A body from strings: true and false are booleans, objects are JSON, and an empty field is none.

    `more` are fields that have their types already. InvalidRequest says which field is wrong.
    """
    fields: dict[str, Any] = {name: _value(model, name, text) for name, text in given.items() if text != ""}
    try:
        return model.model_validate({**fields, **more})
    except ValidationError as error:
        raise invalid(error) from error


def _value(model: type[BaseModel], name: str, text: str) -> Any:
    field = model.model_fields.get(name)
    if field is not None and field.annotation is bool:
        return WORDS.get(text.lower(), text)
    if name in OBJECTS and text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(f"{name}: is not valid JSON", [{"loc": [name], "msg": "is not valid JSON"}]) from error
    return text
