"""Writes the OpenAPI document that the API serves into docs/openapi.json: `make openapi`. It says what has changed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from api.app import create_app
from api.settings import ApiSettings
from docs.openapi_changes import changes

FILE = Path(__file__).with_name("openapi.json")


def served() -> dict[str, Any]:
    """The document of an app that is never asked for anything else: no server is needed."""
    settings = ApiSettings(database_url="postgresql://localhost/none", redis_url="redis://localhost/0")
    made: dict[str, Any] = create_app(settings).test_client().get("/openapi.json").get_json()
    return made


def written(document: dict[str, Any]) -> str:
    """The document as it is kept: the same text for the same document."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    now = served()
    if FILE.exists():
        for each in changes(json.loads(FILE.read_text()), now):
            sys.stdout.write(f"{each}\n")
    FILE.write_text(written(now))
