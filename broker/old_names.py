"""Names in the environment that the service before this one read: taken where ours are not set."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

# MODEL_TYPE and LOG_LEVEL are common names: a word that is none of ours was meant for another program.
OLD: dict[str, tuple[str, Callable[[str], str]]] = {
    "PORT": ("port", str),
    "MODEL_NAME": ("model", str),
    "MODEL_TYPE": ("engine", str.lower),
    "LOG_LEVEL": ("log_level", str.upper),
}
KNOWN = {"engine": ("auto", "openvino", "onnx", "torch", "fake"), "log_level": ("DEBUG", "INFO", "WARNING", "ERROR")}


class OldNames(PydanticBaseSettingsSource):
    """Comes after the environment with our own names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic's
        for name, (meant, read) in OLD.items():
            given = read(os.environ.get(name, "").strip())
            if meant == field_name and given and given in KNOWN.get(meant, (given,)):
                return given, field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}
