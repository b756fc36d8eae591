"""Values against the schemas of a document."""

from __future__ import annotations

from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker


def wrong_with(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    """Why a value is not as a schema of the document says."""
    whole = {**schema, "components": document["components"]}
    found = OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value)
    return [f"{'/'.join(map(str, each.absolute_path))}: {each.message}" for each in found]
